"""Shares with intervals. Standard library only."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

_DEVIATIONS = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of items with its 95 % interval."""

    count: int
    total: int
    value: float
    low: float
    high: float


def estimate_share(count: int, total: int) -> Share:
    """Estimate a share with Wilson's interval (JASA 22, 1927); of nothing, it is between 0 and 1."""
    if not total:
        return Share(count, total, 0.0, 0.0, 1.0)
    part, spread = count / total, _DEVIATIONS**2 / total
    centre = (part + spread / 2) / (1 + spread)
    reach = math.sqrt(part * (1 - part) * spread + spread**2 / 4) / (1 + spread)
    return Share(count, total, part, max(0.0, centre - reach), min(1.0, centre + reach))
