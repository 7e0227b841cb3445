"""Point estimates with 95 % intervals by a seeded bootstrap over images, and paired differences.

Pairs that show the same image are not independent, so the bootstrap draws *images* (clusters) with replacement and
every pair follows its image. All figures of one evaluation share the same draws: the interval of a difference between
two systems is paired, and a figure depends on nothing but the seed.

Shapes: R resamples · P pairs. Knows nothing of models, suites or risk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

Statistic = Callable[[FloatArray], FloatArray]
"""weights_RP → values_R: a figure under R different weightings of the pairs; NaN where it is undefined."""

CONFIDENCE = 0.95

_NO_WIDTH = 1e-12
"""Greatest width of an interval that counts as none."""

_CHUNK = 1 << 23
"""Most weights, resamples times pairs, that are computed with at once: 64 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its interval. A figure that could not be measured has the value None, never zero."""

    value: float | None
    """The point estimate; None if no pair could be scored."""

    low: float | None
    """Lower end of the 95 % interval."""

    high: float | None
    """Upper end of the 95 % interval."""

    n: int
    """Number of scored pairs."""

    unscored: int = 0
    """Number of pairs within the figure's scope that could not be scored; they are in no numerator or denominator."""

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the JSON form."""
        return asdict(self)


class Bootstrap:
    """Estimates figures on resamples of the pairs of one suite, which all figures share.

    Args:
        clusters: one key per pair; pairs with equal keys (the same image) are drawn together.
        seed: seed of the draws.
        resamples: R.

    Raises:
        ValueError: there is no pair, or no resample is requested.
    """

    def __init__(self, clusters: Sequence[Hashable], *, seed: int, resamples: int = 1000) -> None:
        if not clusters or resamples < 1:
            raise ValueError(f"a bootstrap needs pairs and resamples, got {len(clusters)} and {resamples}")
        numbers: dict[Hashable, int] = {}
        self._cluster_P = np.array([numbers.setdefault(key, len(numbers)) for key in clusters])
        rng = np.random.default_rng(seed)
        counts_RK = rng.multinomial(len(numbers), np.full(len(numbers), 1 / len(numbers)), size=resamples)
        # Two bytes for each count: no cluster is drawn anywhere near 65,536 times.
        self._counts_RP = np.minimum(counts_RK, np.iinfo(np.uint16).max).astype(np.uint16)[:, self._cluster_P]

    @property
    def pairs(self) -> int:
        """P, the number of pairs."""
        return len(self._cluster_P)

    def estimate(self, statistic: Statistic, *, n: int, unscored: int = 0) -> Estimate:
        """Estimate a figure with its percentile interval.

        Args:
            statistic: the figure as a function of the pairs' weights.
            n: number of scored pairs, for the record.
            unscored: number of pairs within its scope that it leaves out.
        """
        value = float(statistic(np.ones((1, self.pairs)))[0])
        if n == 0 or math.isnan(value):
            return Estimate(value=None, low=None, high=None, n=n, unscored=unscored)
        draws_R = self._draw(statistic)
        tail = (1 - CONFIDENCE) / 2
        low, high = np.nanquantile(draws_R, [tail, 1 - tail])
        return Estimate(value=value, low=float(low), high=float(high), n=n, unscored=unscored)

    def estimate_bounded(
        self,
        statistic: Statistic,
        scored_P: BoolArray,
        *,
        unscored: int = 0,
        bounds: tuple[float, float] = (0.0, 1.0),
        limiting: Sequence[BoolArray] = (),
    ) -> Estimate:
        """Estimate a figure that is no mean; where the bootstrap has no spread, an exact limit gives the interval.

        An interval without width (all pairs have one outcome, classes are perfectly separated) would claim certainty.
        It is widened, within the bounds, by the exact binomial limit of an event that none of the clusters shows. For
        an AUROC of 1 this is exact with the smaller class: as many independent comparisons were all won.

        Args:
            statistic: the figure as a function of the pairs' weights.
            scored_P: mask of the scored pairs.
            unscored: number of pairs within its scope that it leaves out.
            bounds: least and greatest possible value.
            limiting: masks of pairs, such as both classes; that with the fewest clusters counts. Default: all scored.
        """
        n = int(scored_P.sum())
        value = float(statistic(np.ones((1, self.pairs)))[0])
        if n == 0 or math.isnan(value):
            return Estimate(value=None, low=None, high=None, n=n, unscored=unscored)
        draws_R = self._draw(statistic)
        draws_R = draws_R[~np.isnan(draws_R)]
        tail = (1 - CONFIDENCE) / 2
        low, high = (float(end) for end in np.quantile(draws_R, [tail, 1 - tail])) if len(draws_R) else (value, value)
        if high - low <= _NO_WIDTH:
            rest = max(self._bound_unseen_rate(mask_P) for mask_P in (limiting or (scored_P,))) * (
                bounds[1] - bounds[0]
            )
            low, high = max(bounds[0], value - rest), min(bounds[1], value + rest)
        return Estimate(value=value, low=low, high=high, n=n, unscored=unscored)

    def _draw(self, statistic: Statistic) -> FloatArray:
        """Compute a figure on all resamples, in chunks of bounded size."""
        step = max(1, _CHUNK // self.pairs)
        chunks = range(0, len(self._counts_RP), step)
        return np.concatenate([statistic(self._counts_RP[at : at + step].astype(np.float64)) for at in chunks])

    def estimate_mean(
        self, values_P: FloatArray, applies_P: BoolArray, *, bounds: tuple[float, float] = (0.0, 1.0)
    ) -> Estimate:
        """Estimate the mean of a per-pair figure over the pairs it applies to; NaN marks an unscored pair.

        A bootstrap of values that all equal one bound has no spread and would claim certainty; the exact binomial
        (Clopper-Pearson) limit over clusters replaces it.

        Args:
            values_P: per-pair figures within ``bounds``.
            applies_P: mask of the pairs within the figure's scope.
            bounds: least and greatest possible value of a pair.
        """
        scored_P = applies_P & ~np.isnan(values_P)
        n, unscored = int(scored_P.sum()), int((applies_P & ~scored_P).sum())
        estimate = self.estimate(build_weighted_mean(values_P, scored_P), n=n, unscored=unscored)
        rest = self._bound_unseen_rate(scored_P) * (bounds[1] - bounds[0])
        scored = values_P[scored_P]
        if n and np.all(scored == bounds[0]):
            return Estimate(value=bounds[0], low=bounds[0], high=bounds[0] + rest, n=n, unscored=unscored)
        if n and np.all(scored == bounds[1]):
            return Estimate(value=bounds[1], low=bounds[1] - rest, high=bounds[1], n=n, unscored=unscored)
        return estimate

    def estimate_difference(
        self,
        first_P: FloatArray,
        second_P: FloatArray,
        applies_P: BoolArray,
        *,
        bounds: tuple[float, float] = (0.0, 1.0),
    ) -> Estimate:
        """Estimate the mean of ``first − second`` over the pairs scored in both, with a paired interval.

        Where the two never differ, the interval is the widest that the number of clusters does not exclude.
        """
        gap_P = first_P - second_P
        scored_P = applies_P & ~np.isnan(gap_P)
        n, unscored = int(scored_P.sum()), int((applies_P & ~scored_P).sum())
        if n and not gap_P[scored_P].any():
            rest = self._bound_unseen_rate(scored_P) * (bounds[1] - bounds[0])
            return Estimate(value=0.0, low=-rest, high=rest, n=n, unscored=unscored)
        return self.estimate(build_weighted_mean(gap_P, scored_P), n=n, unscored=unscored)

    def _bound_unseen_rate(self, scored_P: BoolArray) -> float:
        """Compute the largest rate that the confidence level allows for an event unseen in all scored clusters."""
        clusters = len(np.unique(self._cluster_P[scored_P]))
        return 1.0 if clusters == 0 else 1 - float(((1 - CONFIDENCE) / 2) ** (1 / clusters))


def build_weighted_mean(values_P: FloatArray, scored_P: BoolArray) -> Statistic:
    """Build the statistic: mean of ``values_P`` over the scored pairs."""
    clean_P = np.where(scored_P, values_P, 0.0)
    mask_P = scored_P.astype(np.float64)

    def compute(weights_RP: FloatArray) -> FloatArray:
        return divide(weights_RP @ clean_P, weights_RP @ mask_P)

    return compute


def divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide element by element; NaN, without a warning, where the denominator is zero."""
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, np.nan)
