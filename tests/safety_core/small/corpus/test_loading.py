from collections import defaultdict
from pathlib import Path

from safety_core.small.corpus.loading import load_records, split_records
from tests.helpers.datasets.world_folder import TEXTS, write_rows


def test_records_have_groups_and_the_listed_splits(world: Path, tmp_path: Path) -> None:
    corpus = load_records(world, texts=tmp_path, cache=None)
    splits_anew = split_records(world, cache=None)
    assert all(record.split == splits_anew[record.base_id] for record in corpus.records)
    assert all(record.label or record.photo for record in corpus.records)
    splits = defaultdict(set)
    for record in corpus.records:
        splits[record.group].add(record.split)
    assert all(len(found) == 1 for found in splits.values())
    assert corpus.list_split("dropped") == []


def test_near_duplicates_of_a_held_out_set_are_tested(world: Path, tmp_path: Path) -> None:
    cactus = [record for record in load_records(world, texts=tmp_path, cache=None).records if "cactus" in record.text]
    assert {record.source for record in cactus} == {"benign_paired", "benign_fastchat"}
    assert {record.split for record in cactus} == {"test"}


def test_rows_that_the_lists_do_not_know_leak_nothing(world: Path, tmp_path: Path) -> None:
    new = "How should I water a cactus in winter?"
    rows = [*TEXTS["benign_fastchat"], {"text": new}, {"text": "Where do the trams of Arl go at night?"}]
    write_rows(world / "texts" / "benign_fastchat.jsonl", rows)
    write_rows(world / "texts" / "benign_dolly.jsonl", [{"text": "Which river crosses the town of Arl?"}])
    splits = {record.text: record.split for record in load_records(world, texts=tmp_path, cache=None).records}
    assert splits[new] == "dropped"
    assert splits["Where do the trams of Arl go at night?"] == "train"
    assert splits["Which river crosses the town of Arl?"] == "development"


def test_own_texts_join_and_are_dropped_where_they_are_too_near(world: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    base = {"type": "safe", "level": 0, "group": "plants/cactus"}
    near = {**base, "text": "Tell me: how do I water a cactus in winter?"}
    write_rows(own / "pairs.jsonl", [near, {**base, "text": "Where do I buy gloves for cactus spines?"}])
    write_rows(own / "contrast.jsonl", [{**base, "text": "Kill the lights, will you, it is late", "split": "test"}])
    found = [
        record for record in load_records(world, texts=own, cache=None).records if record.source.startswith("own/")
    ]
    assert [(record.source, record.split) for record in found] == [
        ("own/contrast", "test"),
        ("own/pairs", "dropped"),
        ("own/pairs", "train"),
    ]


def test_loading_again_reads_the_kept_pairs(world: Path, tmp_path: Path) -> None:
    cache = tmp_path / "pairs.json"
    first = load_records(world, texts=tmp_path / "own", cache=cache)
    kept = cache.stat().st_mtime_ns
    assert load_records(world, texts=tmp_path / "own", cache=cache) == first
    assert cache.stat().st_mtime_ns == kept
