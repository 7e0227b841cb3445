import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safety_core.data.reporting.comparison import ComparedFiles, compare_files
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.world_folder import write_photo

MOSS = "How do I keep the moss in my garden green all summer long?"
FERN = MOSS.replace("moss", "fern")
TRAM = "When does the last tram leave for the harbour on Sundays?"


@pytest.fixture(autouse=True)
def libraries() -> None:
    pytest.importorskip("datasketch")
    pytest.importorskip("imagehash")


def make_record(name: str, text: str | None, *images: str) -> dict[str, Any]:
    turns = [] if text is None else [{"from": "USER", "value": text}, {"from": "ASSISTANT", "value": "Yes."}]
    return {"id": name, "image": list(images), "conversations": turns, "safe_type": 6, "safe_level": 0}


def write_file(folder: Path, name: str, records: list[dict[str, Any]]) -> Path:
    for number, picture in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        write_photo(folder / picture, number)
    with Image.open(folder / "a.jpg") as image:
        image.resize((70, 70)).save(folder / "small.jpg", quality=60)
    (folder / "broken.jpg").write_bytes(b"no picture")
    file = folder / name
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def compare(*files: Path, share: float = 1.0) -> ComparedFiles:
    return compare_files(files, DEFAULT_TAXONOMY, share=share, total=9, report=lambda stage, done, total: None)


def list_groups(items: list[Any]) -> list[set[tuple[int, int]]]:
    groups: dict[int, set[tuple[int, int]]] = {}
    for item in items:
        groups.setdefault(item.group, set()).add((item.file, item.line))
    return [group for group in groups.values() if len(group) > 1]


def test_words_pictures_and_both_are_compared_within_and_between_files(tmp_path: Path) -> None:
    train = [
        make_record("1", MOSS, "a.jpg"),
        make_record("2", FERN, "b.jpg"),
        make_record("3", TRAM),
        make_record("4", None, "c.jpg"),
    ]
    test = [make_record("1", FERN, "small.jpg"), make_record("2", TRAM.upper()), make_record("3", "Another", "c.jpg")]
    compared = compare(write_file(tmp_path, "train.jsonl", train), write_file(tmp_path, "test.jsonl", test))
    assert len(compared.texts) == 6
    assert list_groups(compared.texts) == [{(0, 1), (0, 2), (1, 1)}, {(0, 3), (1, 2)}]
    assert list_groups(compared.pictures) == [{(0, 1), (1, 1)}, {(0, 4), (1, 3)}]
    assert list_groups(compared.records) == [{(0, 1), (1, 1)}, {(0, 3), (1, 2)}]


def test_a_picture_counts_once_in_a_file_that_shows_it_often(tmp_path: Path) -> None:
    records = [make_record(str(number), f"{number} {MOSS}", "a.jpg", "b.jpg") for number in range(4)]
    compared = compare(write_file(tmp_path, "train.jsonl", records))
    assert len(compared.pictures) == 2
    assert list_groups(compared.pictures) == []


def test_unreadable_pictures_are_counted_and_like_no_other(tmp_path: Path) -> None:
    records = [make_record("1", MOSS, "broken.jpg"), make_record("2", MOSS, "a.jpg"), make_record("3", MOSS)]
    compared = compare(write_file(tmp_path, "train.jsonl", records))
    assert compared.unreadable == 1
    assert len(compared.pictures) == 1
    assert list_groups(compared.records) == []


def test_malformed_records_are_passed_over_and_labels_kept(tmp_path: Path) -> None:
    bad = make_record("2", MOSS) | {"safe_type": 99}
    unlabelled = make_record("3", MOSS) | {"safe_type": None, "safe_level": None}
    compared = compare(write_file(tmp_path, "train.jsonl", [make_record("1", MOSS), bad, unlabelled]))
    assert compared.labels == [(6, 0), None]
    assert list_groups(compared.records) == [{(0, 1), (0, 3)}]


def test_a_share_of_the_records_is_always_the_same(tmp_path: Path) -> None:
    records = [make_record(str(number), f"{number} {TRAM}") for number in range(60)]
    file = write_file(tmp_path, "train.jsonl", records)
    half = [item.line for item in compare(file, share=0.5).texts]
    assert 15 < len(half) < 45
    assert half == [item.line for item in compare(file, share=0.5).texts]
    assert {item.line for item in compare(file, share=0.2).texts} < set(half)
