"""Items of a suite: what is asked, and what is known about it. Knows no data set, no system and no figure."""

from __future__ import annotations

from dataclasses import dataclass

from safety_core.evaluation.benchmarks.suites.abilities.questions import Question
from safety_core.evaluation.benchmarks.suites.pictures import Picture
from safety_core.inputs.conversation import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One request to a system."""

    id: str
    """Name of the item, unique in its suite."""

    group: str
    """Items of one group resemble each other: intervals resample groups, and a limit keeps groups whole."""

    source: str
    """The data set."""

    category: str
    """The data set's own name of the risk or the task."""

    type: str
    """Name of the risk type of the label."""

    level: int
    """Level of the label; 0 is harmless."""

    turns: tuple[Turn, ...] = ()
    """The conversation, which ends with the user; empty for pictures alone."""

    pictures: tuple[Picture, ...] = ()
    """Pictures, in the order in which a system sees them."""

    question: Question | None = None
    """The question of an ability suite."""

    @property
    def is_risky(self) -> bool:
        """Whether the item is not harmless."""
        return self.level > 0

    @property
    def prompt(self) -> str | None:
        """The user's last words; None for pictures alone."""
        return self.turns[-1].text if self.turns else None
