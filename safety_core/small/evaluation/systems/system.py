"""What a system under evaluation does: it scores items. Knows no system."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from safety_core.policy.policy import Decision
from safety_core.small.evaluation.items.item import Item

NOT_ASKED = "not_asked"
"""``Score.problem`` of items that a system is not asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The result of one item."""

    risk: float | None = None
    """Probability that the item is of any level but harmless; None if there is no score."""

    decision: Decision | None = None
    """The decision; None if the system has none."""

    seconds: float | None = None
    """Time of the verdict, everything included; None if it was not measured."""

    problem: str | None = None
    """Code of the reason why there is no score, or why the decision is not based on one."""


class System(Protocol):
    """One row of the table."""

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """Yield the score of each item, in order, one at a time as a server would be asked."""
        ...
