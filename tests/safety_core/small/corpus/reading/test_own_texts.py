from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.small.corpus.reading.own_texts import find_own_texts, read_own_texts
from tests.helpers.datasets.world_folder import Row, write_rows

ROW: Row = {"text": "Lend me a ladder", "type": "safe", "level": 0, "group": "tools/ladder"}


def test_own_texts_are_trained_unless_they_say_otherwise(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "text": "Stolen ladders\nfor sale", "type": "illegal", "level": 3, "kind": "sign"}]
    write_rows(tmp_path / "pairs.jsonl", rows)
    write_rows(tmp_path / "contrast.jsonl", [{**ROW, "split": "test"}])
    contrast, prompt, sign = read_own_texts(tmp_path)
    assert (contrast.source, contrast.split) == ("own/contrast", "test")
    assert (prompt.source, prompt.split, prompt.surface) == ("own/pairs", "train", "both")
    assert (sign.surface, sign.kind, sign.label, sign.text) == (
        "lettering",
        "sign",
        ("illegal", 3),
        "Stolen ladders\nfor sale",
    )
    assert prompt.group == sign.group == "own/tools/ladder"
    assert prompt.category == "tools"


def test_plain_texts_of_a_set_with_splits_are_groups_of_their_own(tmp_path: Path) -> None:
    rows = [{**ROW, "text": text, "group": "plain/everyday", "split": "test"} for text in ("Lend me", "Sell me")]
    write_rows(tmp_path / "contrast.jsonl", rows)
    write_rows(tmp_path / "requests.jsonl", [{**row, "split": None} for row in rows])
    first, second, *others = read_own_texts(tmp_path)
    assert first.group != second.group
    assert first.family == second.family == "own/plain/everyday"
    assert {other.group for other in others} == {"own/plain/everyday"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"type": "harmless"}, "type: must be one of"),
        ({"level": 1}, "level: level 0 goes with"),
        ({"type": "illegal"}, "level: level 0 goes with"),
        ({"level": 4, "type": "illegal"}, "level: "),
        ({"split": "dropped"}, "split: must be one of"),
        ({"typ": "safe"}, "typ: unknown field"),
        ({}, "text: the file has this text already"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, change: Row, problem: str) -> None:
    write_rows(tmp_path / "pairs.jsonl", [ROW, {**ROW, **change}])
    with pytest.raises(SampleError, match=rf"pairs\.jsonl:2: {problem}"):
        read_own_texts(tmp_path)


def test_the_package_has_a_folder_for_own_texts() -> None:
    assert find_own_texts().parts[-2:] == ("small", "texts")
    read_own_texts(find_own_texts())
