import json
from pathlib import Path

import pytest

from safety_core.data.jsonl import read_jsonl, read_jsonl_files, write_jsonl
from safety_core.errors import SampleError
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.sample_records import make_record, write_records


def test_bad_records_are_listed_when_skipped(folder: Path) -> None:
    path = write_records(
        folder, make_record(), make_record(id="two", safe_type=99), make_record(), "text", make_record(id="five")
    )
    result = read_jsonl(path, DEFAULT_TAXONOMY, skip_bad=True)
    assert [sample.id for sample in result.samples] == ["one", "five"]
    assert [(error.line, error.field) for error in result.bad] == [(2, "safe_type"), (3, "id"), (4, "record")]


def test_blank_lines_count_but_do_not_matter(folder: Path) -> None:
    path = folder / "data.jsonl"
    path.write_text("\n" + json.dumps(make_record()) + "\n\n", encoding="utf-8")
    (sample,) = read_jsonl(path, DEFAULT_TAXONOMY).samples
    assert sample.line == 2


def test_a_missing_file_is_an_error_even_when_skipping(folder: Path) -> None:
    with pytest.raises(SampleError, match=r"nowhere\.jsonl"):
        read_jsonl(folder / "nowhere.jsonl", DEFAULT_TAXONOMY, skip_bad=True)


def test_several_files_read_as_one(folder: Path) -> None:
    first = write_records(folder, make_record())
    second = folder / "more.jsonl"
    write_jsonl(second, [make_record(safe_type=-1), make_record(id="two")])
    result = read_jsonl_files([first, second], DEFAULT_TAXONOMY, skip_bad=True)
    assert [sample.id for sample in result.samples] == ["one", "two"]
    assert len(result.bad) == 1


def test_writing_is_all_or_nothing(folder: Path) -> None:
    path = folder / "out.jsonl"
    assert write_jsonl(path, [make_record(), make_record(id="two")]) == 2
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_jsonl(path, [make_record(), make_record(id=object())])
    assert path.read_bytes() == before
