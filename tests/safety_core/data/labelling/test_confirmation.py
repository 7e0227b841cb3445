import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safety_core.data.jsonl import read_jsonl
from safety_core.data.labelling.confirmation import confirm_labels
from safety_core.data.labelling.drafts import Draft, stream_drafts
from safety_core.errors import ConfigError, SampleError
from safety_core.taxonomy import DEFAULT_TAXONOMY

HEADER = "key,proposed_type,proposed_level,type,level,confirmed\n"


def write_data(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    records: list[dict[str, Any]] = [
        {"id": "labelled", "image": "a.png", "safe_type": 1, "safe_level": 2, "meta": {"subset": "x"}},
        {"id": "one", "image": ["a.png"], "safe_type": None, "safe_level": None},
        {"id": "two", "image": None},
        {"id": "three", "image": "a.png"},
    ]
    turns = [{"from": "USER", "value": "Why?"}, {"from": "ASSISTANT", "value": "So."}]
    file = folder / "data.jsonl"
    file.write_text("".join(json.dumps(record | {"conversations": turns}) + "\n" for record in records))
    return file


def find_keys(data: Path) -> dict[str, str]:
    drafts = stream_drafts(data, DEFAULT_TAXONOMY)
    return {draft.id: draft.compute_key() for draft in drafts if isinstance(draft, Draft)}


def write_sheet(folder: Path, *rows: str) -> Path:
    file = folder / "sheet.csv"
    file.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return file


def test_confirmed_labels_are_merged_and_the_rest_is_left_out(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    keys = find_keys(data)
    sheet = write_sheet(
        tmp_path,
        f"{keys['three']},illegal,refuse,privacy,caution,yes",
        f"{keys['one']},safe,safe,safe,safe,yes",
        f"{keys['two']},illegal,refuse,illegal,refuse,",
        "k0000,illegal,refuse,illegal,refuse,yes",
    )
    out = tmp_path / "other" / "out.jsonl"
    result = confirm_labels(data, sheet, out, DEFAULT_TAXONOMY)
    assert (result.written, result.labelled, result.confirmed) == (3, 1, 2)
    assert (result.changed, result.left_out, result.unmatched) == (1, 1, 1)
    samples = read_jsonl(out, DEFAULT_TAXONOMY).samples
    assert [(sample.id, sample.label.type, sample.label.level) for sample in samples] == [
        ("labelled", 1, 2),
        ("one", 6, 0),
        ("three", 4, 1),
    ]
    assert {image.resolve() for sample in samples for image in sample.images} == {tmp_path / "data" / "a.png"}
    assert samples[0].meta == {"subset": "x"}
    assert samples[1].answer == "So."
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [type(record["image"]) for record in records] == [str, list, str]


def test_without_any_label_nothing_is_written(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    data.write_text("".join(data.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(ConfigError, match="no record has a label, and none is confirmed"):
        confirm_labels(data, write_sheet(tmp_path), tmp_path / "new" / "out.jsonl", DEFAULT_TAXONOMY)
    assert not (tmp_path / "new").exists()


def test_a_record_that_changed_since_is_not_confirmed(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    sheet = write_sheet(tmp_path, f"{find_keys(data)['one']},safe,safe,safe,safe,yes")
    data.write_text(data.read_text().replace("Why?", "How?"))
    result = confirm_labels(data, sheet, tmp_path / "out.jsonl", DEFAULT_TAXONOMY)
    assert (result.confirmed, result.left_out, result.unmatched) == (0, 3, 1)


def test_a_malformed_row_stops_before_anything_is_written(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    sheet = write_sheet(tmp_path, f"{find_keys(data)['one']},safe,safe,strange,safe,yes")
    with pytest.raises(SampleError, match=r"sheet\.csv:2: type"):
        confirm_labels(data, sheet, tmp_path / "out.jsonl", DEFAULT_TAXONOMY)
    assert not (tmp_path / "out.jsonl").exists()
