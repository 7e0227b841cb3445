"""Medians and shares with intervals, and ratios of contenders that take turns."""

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

RESAMPLES = 2000
LEVEL = 0.95
_DEVIATIONS = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median with its 95 % bootstrap interval."""

    median: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def to_dict(self) -> dict[str, float]:
        """The fields with four significant digits, for JSON."""
        return {name: float(f"{value:.4g}") for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % interval."""

    share: float
    low: float
    high: float
    count: int
    """Size of the sample."""

    def __str__(self) -> str:
        return f"{self.share:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_dict(self) -> dict[str, float]:
        """The fields with four significant digits, for JSON."""
        return {name: float(f"{value:.4g}") for name, value in asdict(self).items()}


def estimate_share(hits: int, count: int) -> Share:
    """Estimate a share with Wilson's interval (JASA 22, 1927). Raises ValueError if ``count`` is 0."""
    if not count:
        raise ValueError("nothing was measured")
    part, spread = hits / count, _DEVIATIONS**2 / count
    centre = (part + spread / 2) / (1 + spread)
    reach = math.sqrt(part * (1 - part) * spread + spread**2 / 4) / (1 + spread)
    return Share(part, max(0.0, centre - reach), min(1.0, centre + reach), count)


def estimate_median(samples: Sequence[float], *, seed: int = 0) -> Estimate:
    """Estimate a median with a bootstrap interval. Raises ValueError if there are no samples."""
    if not samples:
        raise ValueError("nothing was measured")
    draws = random.Random(seed)
    resampled = sorted(statistics.median(draws.choices(samples, k=len(samples))) for _ in range(RESAMPLES))
    tail = int((1 - LEVEL) / 2 * RESAMPLES)
    return Estimate(statistics.median(samples), resampled[tail], resampled[-tail - 1], len(samples))


def estimate_ratio(own_values: Sequence[float], other_values: Sequence[float]) -> Estimate:
    """Estimate the median ratio of paired rounds; influences that slow both sides of a round cancel out.

    Raises:
        ValueError: the numbers of rounds differ.
    """
    return estimate_median([one / other for one, other in zip(own_values, other_values, strict=True)])


def get_quantile(samples: Sequence[float], share: float) -> float:
    """The sample that this share of the samples does not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
