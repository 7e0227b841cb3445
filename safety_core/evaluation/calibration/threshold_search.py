"""The search behind calibration: which thresholds miss least within a budget of false alarms.

Each type has its cuts: ways to part its scores, with what they cost. One cut per type is chosen so that all of them
together are best, exactly. Knows nothing of types, levels or policies.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

NEVER = 1.01
"""A threshold that no score reaches, rounding included."""

_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Cut:
    """One threshold that a type could have, and what it costs."""

    false_alarms: int
    """Negatives that reach it."""

    misses: int
    """Positives that do not."""

    threshold: float
    """The threshold; a score that equals it reaches it."""


def frontier(negatives: Sequence[float], positives: Sequence[float], fallback: float) -> list[Cut]:
    """The cuts of one type worth considering: for each number of false alarms, the one with fewest misses.

    A cut between two scores lies half way in log-odds. Beyond the outermost scores there is nothing to go by: there it
    is the fallback, or one unit of log-odds away where the fallback lies elsewhere. With nothing to catch, the
    fallback itself is among the cuts.

    Args:
        negatives: scores that should stay below the threshold.
        positives: scores that should reach it.
        fallback: threshold to prefer where the data do not say.
    """
    below, reaching = sorted(negatives), sorted(positives)
    scores = sorted({*below, *reaching})
    candidates = [between(low, high) for low, high in pairwise(scores)]
    if scores:
        candidates += [under(scores[0], fallback), over(scores[-1], fallback)]
    if not positives:
        candidates.insert(0, fallback)
    best: dict[int, Cut] = {}
    for threshold in candidates:
        cut = Cut(len(below) - bisect_left(below, threshold), bisect_left(reaching, threshold), threshold)
        if cut.false_alarms not in best or cut.misses < best[cut.false_alarms].misses:
            best[cut.false_alarms] = cut
    return list(best.values())


def allocate(frontiers: Mapping[str, Sequence[Cut]], budget: int, exchange: float) -> dict[str, Cut]:
    """One cut for each type: least misses plus ``exchange`` times false alarms, at most ``budget`` of these in all.

    Exact, by dynamic programming over the budget. Where two choices cost the same, fewer false alarms win.
    """
    plans: dict[int, tuple[float, dict[str, Cut]]] = {0: (0.0, {})}
    for name, cuts in frontiers.items():
        extended: dict[int, tuple[float, dict[str, Cut]]] = {}
        for spent, (cost, chosen) in plans.items():
            for cut in cuts:
                total = spent + cut.false_alarms
                price = cost + cut.misses + exchange * cut.false_alarms
                if total <= budget and (total not in extended or price < extended[total][0]):
                    extended[total] = (price, {**chosen, name: cut})
        plans = extended
    return min(plans.items(), key=lambda plan: (plan[1][0], plan[0]))[1][1]


def between(low: float, high: float) -> float:
    """A threshold that ``high`` reaches and ``low`` does not, half way in log-odds."""
    middle = _probability((_log_odds(low) + _log_odds(high)) / 2)
    return middle if low < middle <= high else high


def under(lowest: float, fallback: float) -> float:
    """A threshold that every score reaches."""
    return fallback if fallback < lowest else min(lowest, _probability(_log_odds(lowest) - 1))


def over(highest: float, fallback: float) -> float:
    """A threshold that no score reaches."""
    beyond = fallback if fallback > highest else _probability(_log_odds(highest) + 1)
    return beyond if beyond > highest else NEVER


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, _EPSILON), 1 - _EPSILON)
    return math.log(clipped / (1 - clipped))


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
