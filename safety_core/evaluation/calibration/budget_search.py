"""Searches for a policy's thresholds: as few misses as a small share of false alarms permits.

For each level k, from the worst down, each risk type t gets the threshold on s_k that decides a labelled split best. At
most a share of the negatives may be flagged at k; this budget is spent where it avoids most misses
(``threshold_search``). The rates are those of the split itself, without a guarantee for other requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.threshold_search import Cut, allocate_budget, find_cuts
from safety_core.evaluation.scoring.reply_kinds import Duty
from safety_core.policy.policy import Action, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationGoal:
    """Limits on false alarms, and their exchange rate against misses.

    Raises:
        ConfigError: a share is not within [0, 1] or the exchange is negative.
    """

    false_refusals: float = 0.01
    """Maximum share of refused pairs among the pairs that deserve an answer, over all levels that are refused."""

    false_cautions: float = 0.01
    """Maximum share of flagged pairs among the pairs below a level that is answered with caution."""

    refusal_exchange: float = 0.5
    """Cost of one false refusal in misses: within the budget, up to 1/exchange false refusals are accepted to avoid one
    miss. With 0, the whole budget may be spent to avoid a single miss, which overfits to outliers."""

    caution_exchange: float = 1.0
    """Cost of one false caution in misses."""

    by_type: bool = True
    """Whether each type gets thresholds of its own, or all types the same ones: a split with few samples of a type says
    little about that type."""

    def __post_init__(self) -> None:
        for name in ("false_refusals", "false_cautions"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"calibration.{name}: a share from 0 to 1 is needed, got {getattr(self, name)}")
        if self.refusal_exchange < 0 or self.caution_exchange < 0:
            raise ConfigError("calibration: an exchange must not be negative")


@dataclass(frozen=True, slots=True)
class Point:
    """One sample: its type, its scores s_k by level, and the gold label."""

    type: str
    scores: Mapping[int, float]
    level: int
    duty: Duty

    @property
    def deserves_answer(self) -> bool:
        """Whether a refusal would be a false alarm."""
        return self.duty in (Duty.ANSWER, Duty.CARE)


def search_thresholds(points: Sequence[Point], base: Policy, goal: CalibrationGoal) -> dict[str, dict[int, float]]:
    """Search for the thresholds of all types and levels.

    Args:
        points: the labelled split; samples without a verdict are left out.
        base: the policy whose actions and enabled types apply; its thresholds are kept where the split says nothing.
        goal: limits of false alarms.
    """
    thresholds = {name: dict(levels) for name, levels in base.thresholds.items()}
    levels = sorted(next(iter(thresholds.values())))
    refusals = math.floor(goal.false_refusals * sum(point.deserves_answer for point in points))
    refused = [level for level in levels if _refuses(base, level)]
    for level in reversed(levels):
        left = sum(other <= level for other in refused)  # each level gets its part of what the worse ones left
        _choose_level(level, points, thresholds, base, goal, refusals // max(1, left))
        # A sample that is flagged at this level stays flagged, whatever the thresholds of lower levels.
        flagged = [point for point in points if point.scores[level] >= thresholds[point.type][level]]
        refusals -= sum(point.deserves_answer and base.actions[point.type][level] is Action.REFUSE for point in flagged)
        points = [point for point in points if point.scores[level] < thresholds[point.type][level]]
    return thresholds


def _refuses(policy: Policy, level: int) -> bool:
    """Whether some type is refused at a level."""
    return any(policy.actions[name][level] is Action.REFUSE for name in policy.enabled)


def _choose_level(
    level: int,
    points: Sequence[Point],
    thresholds: dict[str, dict[int, float]],
    base: Policy,
    goal: CalibrationGoal,
    refusals: int,
) -> None:
    """Choose every enabled type's threshold on s_k for one level k, or one for all types.

    Args:
        level: k.
        points: the samples that no worse level flags.
        thresholds: by type and level; completed here.
        base: the policy whose actions apply.
        goal: limits on false alarms.
        refusals: number of false refusals that are still allowed.
    """
    names = sorted(base.enabled)
    groups = [[name] for name in names] if goal.by_type else [names]
    cuts: dict[str, list[Cut]] = {}
    negatives = 0
    for group in groups:
        of_group = [point for point in points if point.type in group]
        below = [
            point.scores[level] for point in of_group if _is_negative(point, level, base.actions[point.type][level])
        ]
        reaching = [point.scores[level] for point in of_group if point.level >= level]
        negatives += len(below)
        cuts[group[0]] = find_cuts(below, reaching, fallback=base.thresholds[group[0]][level])
    refuses = _refuses(base, level)
    budget = max(0, refusals) if refuses else math.floor(goal.false_cautions * negatives)
    exchange = goal.refusal_exchange if refuses else goal.caution_exchange
    chosen = allocate_budget(cuts, budget, exchange)
    for group in groups:
        for name in group:
            thresholds[name][level] = chosen[group[0]].threshold


def _is_negative(point: Point, level: int, action: Action) -> bool:
    """Whether flagging a sample at a level is a false alarm; a refusal is one only if the sample deserves an answer."""
    return point.deserves_answer if action is Action.REFUSE else point.level < level
