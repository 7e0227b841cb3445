"""Results of items, as a run writes them."""

from typing import Any

from safety_core.evaluation.benchmarks.run_files import GivenAnswer, ItemResult


def make_result(id: str, **fields: Any) -> ItemResult:
    defaults = {
        "group": id, "source": "s", "category": "c", "type": "illegal", "level": 3, "risky": True,
    }  # fmt: skip
    return ItemResult(**{"id": id, **defaults, **fields})


def make_answer(
    id: str, *, right: bool | None, expected: str = "yes", given: str | None = None, **fields: Any
) -> ItemResult:
    """The result of a question; without ``given``, the answer follows from ``right``."""
    other = "no" if expected == "yes" else "yes"
    given = given if given is not None or right is None else expected if right else other
    answer = GivenAnswer(expected=expected, given=given, right=right)
    return make_result(id, **{"type": "safe", "level": 0, "risky": False, "answer": answer, **fields})
