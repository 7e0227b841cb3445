"""Conversion of each public data set: errors, labels of the user, and what remains after a failure."""

import json
from pathlib import Path

import pytest

from safety_core.data.conversion import convert
from safety_core.data.jsonl import read_jsonl
from safety_core.data.registry import ADAPTERS
from safety_core.errors import ConfigError, SampleError
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from tests.helpers.datasets.public_sets import write_picture, write_text


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_a_wrong_folder_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_text(tmp_path / "other" / "notes.txt", "nothing of the kind")
    write_text(tmp_path / "file", "")
    for wrong in ("empty", "other", "gone", "file"):
        with pytest.raises((ConfigError, SampleError), match=wrong):
            convert(name, tmp_path / wrong, tmp_path / "new" / "out.jsonl")
        assert not (tmp_path / "new").exists()


def test_labels_and_taxonomy_are_the_users_to_choose(tmp_path: Path) -> None:
    root = tmp_path / "folder"
    write_picture(root / "odd" / "1.png")
    taxonomy = Taxonomy(types=("fine", "odd", "bad"), levels=("none", "some"), safe_type="fine")
    out = tmp_path / "out.jsonl"
    convert("folder", root, out, taxonomy=taxonomy, labels={"odd": ("odd", 1)})
    assert read_jsonl(out, taxonomy).samples[0].label.type == 1
    with pytest.raises(ConfigError, match="'odd' has no label"):
        convert("folder", root, out, taxonomy=taxonomy)
    with pytest.raises(ConfigError, match="not in the taxonomy"):
        convert("folder", root, out, taxonomy=taxonomy, labels={"odd": ("strange", 1)})


def test_an_unknown_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="vlguard"):
        convert("nothing", tmp_path, tmp_path / "out.jsonl")


@pytest.mark.parametrize("name", ["vlguard", "figstep", "xstest"])
def test_a_set_that_is_not_there_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SampleError, match="none of"):
        convert(name, tmp_path, tmp_path / "out.jsonl")


def test_records_without_a_label_are_written_on_request_only(tmp_path: Path) -> None:
    write_text(tmp_path / "mine.csv", "prompt,category\nWhy?,\nHow?,strange\nWho?,safe\n")
    out = tmp_path / "out.jsonl"
    report = convert("csv", tmp_path, out, allow_unlabelled=True)
    assert (report.count, report.unlabelled, report.by_type) == (3, 2, {"safe": 1})
    labels = [(record["safe_type"], record["safe_level"]) for record in map(json.loads, out.read_text().splitlines())]
    assert labels == [(None, None), (None, None), (6, 0)]
    with pytest.raises(SampleError, match=r"out\.jsonl:1: safe_type: the record has no label"):
        read_jsonl(out, DEFAULT_TAXONOMY)
    with pytest.raises(ConfigError, match="not in the taxonomy"):
        convert("csv", tmp_path, out, allow_unlabelled=True, labels={"strange": ("unknown", 1)})


def test_a_single_file_is_enough_for_a_table_only(tmp_path: Path) -> None:
    write_text(tmp_path / "mine.csv", "prompt,category\nWhy?,safe\n")
    assert convert("csv", tmp_path / "mine.csv", tmp_path / "out.jsonl").count == 1
    with pytest.raises(ConfigError, match=r"mine\.csv: there is no such folder$"):
        convert("xstest", tmp_path / "mine.csv", tmp_path / "out.jsonl")
    with pytest.raises(ConfigError, match=r"there is no such folder, and no \.parquet file"):
        convert("parquet", tmp_path / "mine.csv", tmp_path / "out.jsonl")
