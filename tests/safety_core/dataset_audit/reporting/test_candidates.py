from random import Random
from typing import Any

from safety_core.dataset_audit.reporting.candidates import Candidates


def create_row(number: int, unsafe: float, **changes: Any) -> dict[str, Any]:
    place = {"cursor_file": 0, "cursor_offset": number, "cursor_row": number, "place": str(number)}
    verdict = {"outcome": "judged", "type": "illegal", "level": 2, "surface": "text", "decision": "refused"}
    return {"number": number, "unsafe": unsafe, **verdict, **place} | changes


def test_the_highest_risks_of_each_type_and_level_are_chosen() -> None:
    rows = [create_row(number, number / 100, level=1 + number % 2) for number in range(100)]
    rows.append(create_row(200, 1.0, outcome="unjudged"))
    Random(3).shuffle(rows)
    candidates = Candidates(3)
    for row in rows:
        candidates.offer(row)
    chosen = candidates.choose()
    assert list(chosen) == [("illegal", 2), ("illegal", 1)]
    assert [one.place for one in chosen["illegal", 2]] == ["99", "97", "95"]
    assert [one.place for one in chosen["illegal", 1]] == ["98", "96", "94"]


def test_of_equal_risks_the_first_items_are_chosen() -> None:
    candidates = Candidates(2)
    for number in (5, 1, 3, 2):
        candidates.offer(create_row(number, 0.5))
    assert [one.place for one in candidates.choose()["illegal", 2]] == ["1", "2"]


def test_none_are_kept_if_none_are_wanted() -> None:
    candidates = Candidates(0)
    candidates.offer(create_row(1, 0.5))
    assert candidates.choose() == {}
