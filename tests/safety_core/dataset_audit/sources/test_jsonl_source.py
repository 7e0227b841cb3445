import json
from pathlib import Path

import pytest

from safety_core.dataset_audit.sources.jsonl_source import JsonlSource
from safety_core.dataset_audit.sources.lines import MAX_LINE
from safety_core.errors import ConfigError
from tests.helpers.datasets.audit_sources import create_fields, read_items, read_words
from tests.helpers.images.encoding import encode_png


def open_lines(folder: Path, *lines: str | bytes) -> JsonlSource:
    file = folder / "data.jsonl"
    file.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    return JsonlSource((file,), create_fields(folder))


def test_records_of_the_project_and_rows_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png())
    record = {"id": "one", "image": "a.png", "conversations": [{"from": "USER", "value": "v"}]}
    labelled = record | {"id": "two", "safe_type": 1, "safe_level": 3}
    source = open_lines(tmp_path, '{"text": "words"}', "", json.dumps(record), json.dumps(labelled))
    items = read_items(source)
    assert [(item.id, item.place, item.kind, item.label) for item in items] == [
        ("data-1", "data.jsonl:1", "text", None),
        ("one", "data.jsonl:3", "pair", None),
        ("two", "data.jsonl:4", "pair", (1, 3)),
    ]
    assert read_words(items) == ["words", "v", "v"]


def test_bad_lines_are_items_with_a_problem_and_do_not_end_the_reading(tmp_path: Path) -> None:
    secret = {"id": "gone", "image": "secret.png", "conversations": []}
    source = open_lines(
        tmp_path,
        '{"text": "first"}',
        "{",
        b'{"text": "\xff"}',
        "[" * 100_000,
        '{"text": "' + "a" * MAX_LINE + '"}',
        json.dumps(secret),
        '{"other": 1}',
        '{"text": "last"}',
    )
    items = read_items(source)
    assert [item.problem is None for item in items] == [True, *[False] * 6, True]
    assert items[5].id == "gone"
    assert not any("secret" in (item.problem or "") for item in items)


def test_a_file_without_anything_to_judge_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no column holds prompts or images"):
        list(open_lines(tmp_path, '{"other": "x"}').scan())


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    items = read_items(open_lines(tmp_path, b'\xef\xbb\xbf{"text": "a"}', '{"text": "b"}'))
    assert read_words(items) == ["a", "b"]


def test_utf_16_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="UTF-8 is needed"):
        list(open_lines(tmp_path, '{"text": "a"}'.encode("utf-16")).scan())


def test_names_are_bounded(tmp_path: Path) -> None:
    long = "x" * 5000
    said = [{"from": "USER", "value": "v"}]
    lines = [
        json.dumps({"id": long, "image": None, "conversations": said}),
        json.dumps({"conversations": said, long: 1}),
    ]
    items = read_items(open_lines(tmp_path, *lines))
    assert [item.id for item in items] == ["data.jsonl:1", "data.jsonl:2"]
    assert all(len(item.problem or "") in range(1, 201) for item in items)


def test_too_many_pictures_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png())
    record = {"id": "one", "image": ["a.png"] * 9, "conversations": []}
    (item,) = read_items(open_lines(tmp_path, json.dumps(record)))
    assert item.problem is not None
