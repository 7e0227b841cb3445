"""Thresholds of a baseline: those with which it flags as many harmless texts as the guard does. Pure numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from safety_core.policy.policy import Decision
from safety_core.small.evaluation.systems.system import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """False alarms of a system on harmless texts of the calibration split, as shares of all of them."""

    flagged: float
    """Share that is refused or cautioned."""

    refused: float


DEFAULT_FALSE_ALARMS = FalseAlarms(flagged=0.02, refused=0.01)
"""For baselines where no guard was measured."""


def measure_false_alarms(scores: Sequence[Score]) -> FalseAlarms:
    """Measure the false alarms of a guard from its scores of harmless texts; raises ValueError if there are none."""
    decisions = [score.decision for score in scores if score.decision is not None]
    if not decisions:
        raise ValueError("false alarms need scores")
    return FalseAlarms(
        flagged=sum(decision is not Decision.ALLOWED for decision in decisions) / len(decisions),
        refused=sum(decision is Decision.REFUSED for decision in decisions) / len(decisions),
    )


def choose_threshold(scores: Sequence[float], share: float) -> float:
    """Choose the lowest threshold that at most a share of harmless scores reaches; raises ValueError if there are none.

    Between two neighbouring scores it is their midpoint; above all scores, halfway between the greatest and 1.
    """
    if not scores:
        raise ValueError("a threshold needs scores")
    ordered = sorted(scores, reverse=True)
    permitted = math.floor(share * len(ordered) + 1e-9)
    while 0 < permitted < len(ordered) and ordered[permitted - 1] == ordered[permitted]:
        permitted -= 1
    if permitted == 0:
        return (ordered[0] + max(1.0, ordered[0])) / 2 if ordered[0] < 1 else math.nextafter(ordered[0], math.inf)
    if permitted == len(ordered):
        return ordered[-1]
    return (ordered[permitted - 1] + ordered[permitted]) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Thresholds of a baseline."""

    flag: float
    """Least risk that is flagged."""

    refuse: float
    """Least probability of a high level that is refused."""

    def decide(self, risk: float, high: float) -> Decision:
        """Decide on one item."""
        if high >= self.refuse:
            return Decision.REFUSED
        return Decision.CAUTIONED if risk >= self.flag else Decision.ALLOWED


def choose_thresholds(risks: Sequence[float], highs: Sequence[float], alarms: FalseAlarms) -> Thresholds:
    """Choose thresholds with the given false alarms on harmless texts.

    Args:
        risks: probability of any risk of each text.
        highs: probability of a level that is refused.
        alarms: the shares that may be flagged and refused.
    """
    return Thresholds(flag=choose_threshold(risks, alarms.flagged), refuse=choose_threshold(highs, alarms.refused))
