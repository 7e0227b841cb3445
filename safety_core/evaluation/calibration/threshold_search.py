"""Searches for the thresholds with the fewest misses within a budget of false alarms.

Each type has several cuts: thresholds on its scores, with their costs. The search selects one cut per type so that the
total cost is minimal; it is exact. Knows nothing of types, levels or policies.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

NEVER = 1.01
"""A threshold that no score reaches, even after rounding."""

_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Cut:
    """A candidate threshold of one type, and its cost."""

    false_alarms: int
    """Number of negatives that reach the threshold."""

    misses: int
    """Number of positives that do not reach it."""

    threshold: float
    """The threshold; an equal score reaches it."""


def find_cuts(negatives: Sequence[float], positives: Sequence[float], fallback: float) -> list[Cut]:
    """Find the cuts of one type: for each number of false alarms, the cut with the fewest misses.

    A cut between two scores lies half way in log-odds. Beyond the outermost scores it is the fallback, or one unit of
    log-odds away where the fallback does not lie beyond them. Without positives, the fallback itself is among the cuts.

    Args:
        negatives: scores that should stay below the threshold.
        positives: scores that should reach it.
        fallback: threshold to prefer where the data do not determine one.
    """
    below, reaching = sorted(negatives), sorted(positives)
    scores = sorted({*below, *reaching})
    candidates = [place_between(low, high) for low, high in pairwise(scores)]
    if scores:
        candidates += [place_below(scores[0], fallback), place_above(scores[-1], fallback)]
    if not positives:
        candidates.insert(0, fallback)
    best: dict[int, Cut] = {}
    for threshold in candidates:
        cut = Cut(len(below) - bisect_left(below, threshold), bisect_left(reaching, threshold), threshold)
        if cut.false_alarms not in best or cut.misses < best[cut.false_alarms].misses:
            best[cut.false_alarms] = cut
    return list(best.values())


def allocate_budget(cuts_by_type: Mapping[str, Sequence[Cut]], budget: int, exchange: float) -> dict[str, Cut]:
    """Select one cut per type: fewest misses plus ``exchange`` times false alarms, at most ``budget`` false alarms.

    Exact, by dynamic programming over the budget. Of selections with equal cost, the one with fewer false alarms wins.
    """
    plans: dict[int, tuple[float, dict[str, Cut]]] = {0: (0.0, {})}
    for name, cuts in cuts_by_type.items():
        cuts = [cut for cut in cuts if cut.false_alarms <= budget]
        extended: dict[int, tuple[float, dict[str, Cut]]] = {}
        for spent, (cost, chosen) in plans.items():
            for cut in cuts:
                total = spent + cut.false_alarms
                price = cost + cut.misses + exchange * cut.false_alarms
                if total <= budget and (total not in extended or price < extended[total][0]):
                    extended[total] = (price, {**chosen, name: cut})
        plans = extended
    return min(plans.items(), key=lambda plan: (plan[1][0], plan[0]))[1][1]


def place_between(low: float, high: float) -> float:
    """Place a threshold half way in log-odds between two scores; ``high`` reaches it and ``low`` does not."""
    middle = _apply_sigmoid((_compute_log_odds(low) + _compute_log_odds(high)) / 2)
    return middle if low < middle <= high else high


def place_below(lowest: float, fallback: float) -> float:
    """Place a threshold that every score reaches."""
    return fallback if fallback < lowest else min(lowest, _apply_sigmoid(_compute_log_odds(lowest) - 1))


def place_above(highest: float, fallback: float) -> float:
    """Place a threshold that no score reaches."""
    beyond = fallback if fallback > highest else _apply_sigmoid(_compute_log_odds(highest) + 1)
    return beyond if beyond > highest else NEVER


def _compute_log_odds(probability: float) -> float:
    clipped = min(max(probability, _EPSILON), 1 - _EPSILON)
    return math.log(clipped / (1 - clipped))


def _apply_sigmoid(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
