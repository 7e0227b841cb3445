from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.small.corpus.hashing import hash_id
from safety_core.small.corpus.records import Split
from safety_core.small.corpus.split_lists import LISTED, compare_lists, find_lists, read_lists, write_lists

SPLITS: dict[str, Split] = {
    **{f"catqa/{i}": "train" for i in range(20)},
    **{f"catqa/{i}": "test" for i in range(20, 40)},
    "tdc2023/1": "calibration",
    "tdc2023/2": "development",
}


def test_lists_are_read_as_written(tmp_path: Path) -> None:
    write_lists(SPLITS, tmp_path)
    listed = read_lists(tmp_path)
    assert listed == {hash_id(key): split for key, split in SPLITS.items() if split != "train"}
    assert compare_lists(SPLITS, listed) == []
    assert not any("catqa/" in (tmp_path / f"{split}.txt").read_text() for split in LISTED)


def test_differences_are_counted(tmp_path: Path) -> None:
    write_lists(SPLITS, tmp_path)
    moved: dict[str, Split] = {**SPLITS, "catqa/0": "test", "tdc2023/1": "train"}
    assert compare_lists(moved, read_lists(tmp_path)) == [
        "calibration: 1 ids listed in vain",
        "test: 1 ids not in its list",
    ]


@pytest.mark.parametrize("entry", ["0123456789a", "0123456789ag", hash_id("tdc2023/1")])
def test_a_malformed_list_is_named(tmp_path: Path, entry: str) -> None:
    write_lists(SPLITS, tmp_path)
    with (tmp_path / "development.txt").open("a") as stream:
        stream.write(f"{entry}\n")
    with pytest.raises(ConfigError, match=r"development\.txt:3: "):
        read_lists(tmp_path)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"calibration\.txt cannot be read"):
        read_lists(tmp_path)


def test_the_committed_lists_are_complete() -> None:
    listed = read_lists()
    for split in LISTED:
        head = (find_lists() / f"{split}.txt").read_text().splitlines()[0]
        assert head.startswith(f"# {split}: {sum(one == split for one in listed.values())} ids")
        assert sum(one == split for one in listed.values()) > 1000
