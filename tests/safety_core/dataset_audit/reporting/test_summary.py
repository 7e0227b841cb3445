from typing import Any

import numpy as np

from safety_core.dataset_audit.duplicates.index import DuplicateGroups
from safety_core.dataset_audit.reporting.summary import OTHER, TOP, Summary
from safety_core.taxonomy import DEFAULT_TAXONOMY


def create_row(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "text",
        "outcome": "judged",
        "problem": None,
        "decision": "allowed",
        "type": "safe",
        "level": 0,
        "label_level": None,
        "number": 0,
        "unsafe": 0.5,
    } | changes


def test_items_are_counted_by_type_and_level_and_beside_their_labels() -> None:
    summary = Summary(DEFAULT_TAXONOMY)
    for row in (
        create_row(label_level=0),
        create_row(decision="refused", type="illegal", level=3, label_level=0),
        create_row(decision="cautioned", type="privacy", level=1, label_level=2),
        create_row(outcome="unjudged", problem="prompt_too_long"),
    ):
        summary.count(row)
    document = summary.to_dict()
    assert document["types"]["illegal"]["refuse"]["count"] == 1
    assert document["types"]["illegal"]["refuse"]["total"] == 3
    assert document["labels"] == {"harmless allowed": 1, "harmless refused": 1, "risky cautioned": 1}
    assert (summary.flagged.count, summary.flagged.total) == (2, 3)
    assert document["duplicates"] is None


def test_labels_of_the_highest_risks_tell_how_right_they_are() -> None:
    summary = Summary(DEFAULT_TAXONOMY)
    for number in range(3 * TOP):
        level = 1 if number % 4 else 0
        summary.count(create_row(number=number, unsafe=number / 1000, label_level=level))
    assert (summary.precision.count, summary.precision.total) == (TOP * 3 // 4, TOP)
    assert summary.to_dict()["labelled_risky_of_the_highest"]["value"] == 0.75


def test_the_number_of_different_problems_is_bounded() -> None:
    summary = Summary(DEFAULT_TAXONOMY)
    for number in range(300):
        summary.count(create_row(outcome="unreadable", problem=f"problem {number}"))
    assert len(summary.problems) == 101
    assert summary.problems[OTHER] == 200


def test_groups_are_counted_with_the_items_beyond_their_first() -> None:
    summary = Summary(DEFAULT_TAXONOMY)
    sizes, none = np.array([3, 1, 0, 0, 2, 0], dtype=np.int32), np.zeros(0, dtype=np.int64)
    summary.count_groups(DuplicateGroups(none, none, none, sizes, complete=False))
    assert summary.to_dict()["duplicates"] == {
        "groups": 2,
        "items_beyond_the_first": 3,
        "largest_group": 3,
        "all_pairs_compared": False,
    }
