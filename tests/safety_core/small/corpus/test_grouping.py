from pathlib import Path

import pytest

from safety_core.small.corpus.grouping import drop_near_texts, find_pairs, group_records
from safety_core.small.corpus.records import Record, Split

TEXT = "How do I keep the moss in my garden green?"


def make(key: str, text: str = "", *, family: str = "", split: Split = "train") -> Record:
    source = key.rpartition("/")[0]
    return Record(id=key, source=source, surface="both", label=("safe", 0), text=text, family=family, split=split)


def test_near_duplicates_and_families_are_groups() -> None:
    records = [make("catqa/1", family="f"), make("catqa/2"), make("tdc2023/3", family="f"), make("tdc2023/4")]
    grouped = group_records(records, [("catqa/2", "tdc2023/3"), ("catqa/2", "own/x/9")])
    assert [record.group for record in grouped] == ["catqa/1", "catqa/1", "catqa/1", "tdc2023/4"]


def test_pairs_are_found_across_sets_but_not_among_combined_requests(tmp_path: Path) -> None:
    pytest.importorskip("datasketch")
    near = TEXT.replace("moss", "fern")
    records = [make("catqa/1", TEXT), make("own/x/2", near), make("issuebench_issues/3", near)]
    assert find_pairs(records) == [("catqa/1", "own/x/2")]


def test_pairs_are_kept_in_a_file_without_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasketch")
    cache = tmp_path / "build" / "pairs.json"
    records = [make("catqa/1", TEXT), make("catqa/2", TEXT)]
    pairs = find_pairs(records, cache)
    assert pairs == [("catqa/1", "catqa/2")]
    assert "moss" not in cache.read_text()

    def fail(texts: object) -> None:
        raise AssertionError("looked for again")

    monkeypatch.setattr("safety_core.small.corpus.grouping.find_near_texts", fail)
    assert find_pairs(records[::-1], cache) == pairs
    with pytest.raises(AssertionError):
        find_pairs([*records, make("catqa/3", "another")], cache)
    cache.write_text("damaged")
    with pytest.raises(AssertionError):
        find_pairs(records, cache)


@pytest.mark.parametrize(
    ("one", "two", "dropped"),
    [
        (make("own/pairs/1"), make("catqa/1", split="test"), ["own/pairs/1"]),
        (make("own/pairs/1"), make("catqa/1", split="calibration"), ["own/pairs/1"]),
        (make("own/pairs/1"), make("own/contrast/1", split="development"), ["own/pairs/1"]),
        (make("catqa/1"), make("own/contrast/1", split="test"), ["catqa/1"]),
        (make("own/pairs/1"), make("catqa/1"), []),
        (make("own/contrast/1", split="test"), make("catqa/1", split="test"), []),
    ],
)
def test_training_texts_near_what_is_measured_are_dropped(one: Record, two: Record, dropped: list[str]) -> None:
    records = drop_near_texts([one, two, make("catqa/9")], [(two.id, one.id)])
    assert [record.id for record in records if record.split == "dropped"] == dropped
