"""Point estimates with 95 % intervals: a seeded bootstrap over pictures, paired differences, McNemar's exact test.

Pairs that show the same picture are not independent, so the bootstrap draws *pictures* (clusters) with replacement and
every pair follows its picture. All figures of one evaluation share the same draws: an interval of a difference between
two rows is paired without further ado, and a figure depends on nothing but the seed.

Shapes: R resamples · P pairs · C classes. Knows nothing of models, suites or risk.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One figure with its error bar. A figure that could not be measured has the value None, never zero."""

    value: float | None
    """The point estimate; None where no pair could be scored."""

    low: float | None
    """Lower end of the 95 % interval."""

    high: float | None
    """Upper end of the 95 % interval."""

    n: int
    """Pairs that were scored."""

    unscored: int = 0
    """Pairs that the figure is about but that could not be scored; they are in no numerator or denominator."""

    def to_dict(self) -> dict[str, float | int | None]:
        """The JSON form."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Two rows compared on the same right-or-wrong pairs."""

    only_first: int
    """Pairs that the first row handles rightly and the second does not."""

    only_second: int
    """Pairs that the second row handles rightly and the first does not."""

    n: int
    """Pairs scored in both rows."""

    p_value: float
    """Two-sided exact binomial probability of a split at least this uneven; 1.0 where the rows never disagree."""

    def to_dict(self) -> dict[str, float | int]:
        """The JSON form."""
        return asdict(self)


class Bootstrap:
    """Resamples of the pairs of one suite, drawn once and shared by every figure.

    Args:
        clusters: one key per pair; pairs with equal keys (the same picture) are drawn together.
        seed: seed of the draws.
        resamples: R.

    Raises:
        ValueError: there is no pair, or no resample is asked for.
    """

    def __init__(self, clusters: Sequence[Hashable], *, seed: int, resamples: int = 1000) -> None:
        if not clusters or resamples < 1:
            raise ValueError(f"a bootstrap needs pairs and resamples, got {len(clusters)} and {resamples}")
        numbers: dict[Hashable, int] = {}
        self._cluster_P = np.array([numbers.setdefault(key, len(numbers)) for key in clusters])
        rng = np.random.default_rng(seed)
        counts_RK = rng.multinomial(len(numbers), np.full(len(numbers), 1 / len(numbers)), size=resamples)
        self._weights_RP: FloatArray = counts_RK[:, self._cluster_P].astype(np.float64)

    @property
    def pairs(self) -> int:
        """P, the number of pairs."""
        return len(self._cluster_P)

    def estimate(self, statistic: Statistic, *, n: int, unscored: int = 0) -> Estimate:
        """A figure with its percentile interval.

        Args:
            statistic: the figure as a function of the pairs' weights.
            n: pairs that it rests on, for the record.
            unscored: pairs that it leaves out although it is about them.
        """
        value = float(statistic(np.ones((1, self.pairs)))[0])
        if n == 0 or math.isnan(value):
            return Estimate(value=None, low=None, high=None, n=n, unscored=unscored)
        draws_R = statistic(self._weights_RP)
        tail = (1 - CONFIDENCE) / 2
        low, high = np.nanquantile(draws_R, [tail, 1 - tail])
        return Estimate(value=value, low=float(low), high=float(high), n=n, unscored=unscored)

    def mean(self, values_P: FloatArray, applies_P: BoolArray, *, bounds: tuple[float, float] = (0.0, 1.0)) -> Estimate:
        """Mean of a per-pair figure over the pairs it applies to; NaN marks an unscored pair.

        A bootstrap of figures that all lie on one bound has no spread and would claim certainty; there the exact
        binomial (Clopper-Pearson) limit over clusters takes its place.

        Args:
            values_P: per-pair figures within ``bounds``.
            applies_P: which pairs the figure is about.
            bounds: least and greatest value that a pair can have.
        """
        scored_P = applies_P & ~np.isnan(values_P)
        n, unscored = int(scored_P.sum()), int((applies_P & ~scored_P).sum())
        estimate = self.estimate(weighted_mean(values_P, scored_P), n=n, unscored=unscored)
        rest = self._exact_rest(scored_P) * (bounds[1] - bounds[0])
        seen = values_P[scored_P]
        if n and np.all(seen == bounds[0]):
            return Estimate(value=bounds[0], low=bounds[0], high=bounds[0] + rest, n=n, unscored=unscored)
        if n and np.all(seen == bounds[1]):
            return Estimate(value=bounds[1], low=bounds[1] - rest, high=bounds[1], n=n, unscored=unscored)
        return estimate

    def difference(
        self,
        first_P: FloatArray,
        second_P: FloatArray,
        applies_P: BoolArray,
        *,
        bounds: tuple[float, float] = (0.0, 1.0),
    ) -> Estimate:
        """Mean of ``first − second`` over the pairs scored in both, with a paired interval.

        Where the two never differ, the interval is what the number of clusters can exclude at most.
        """
        gap_P = first_P - second_P
        scored_P = applies_P & ~np.isnan(gap_P)
        n, unscored = int(scored_P.sum()), int((applies_P & ~scored_P).sum())
        if n and not gap_P[scored_P].any():
            rest = self._exact_rest(scored_P) * (bounds[1] - bounds[0])
            return Estimate(value=0.0, low=-rest, high=rest, n=n, unscored=unscored)
        return self.estimate(weighted_mean(gap_P, scored_P), n=n, unscored=unscored)

    def _exact_rest(self, scored_P: BoolArray) -> float:
        """Largest rate of an event never seen in the scored clusters that the confidence level leaves open."""
        clusters = len(np.unique(self._cluster_P[scored_P]))
        return 1.0 if clusters == 0 else 1 - float(((1 - CONFIDENCE) / 2) ** (1 / clusters))


def weighted_mean(values_P: FloatArray, scored_P: BoolArray) -> Statistic:
    """The mean of ``values_P`` over the scored pairs."""
    clean_P = np.where(scored_P, values_P, 0.0)
    mask_P = scored_P.astype(np.float64)

    def statistic(weights_RP: FloatArray) -> FloatArray:
        return _ratio(weights_RP @ clean_P, weights_RP @ mask_P)

    return statistic


def macro_f1(predicted_P: IntArray, gold_P: IntArray, scored_P: BoolArray, num_classes: int) -> Statistic:
    """F1 per class that occurs in the gold labels, averaged with equal weight per class."""
    predicted_CP = np.stack([(predicted_P == label) & scored_P for label in range(num_classes)]).astype(np.float64)
    gold_CP = np.stack([(gold_P == label) & scored_P for label in range(num_classes)]).astype(np.float64)

    def statistic(weights_RP: FloatArray) -> FloatArray:
        hits_RC = weights_RP @ (predicted_CP * gold_CP).T
        gold_RC = weights_RP @ gold_CP.T
        f1_RC = _ratio(2 * hits_RC, weights_RP @ predicted_CP.T + gold_RC)
        present_RC = gold_RC > 0
        return _ratio(np.where(present_RC, f1_RC, 0.0).sum(axis=1), present_RC.sum(axis=1).astype(np.float64))

    return statistic


def auroc(scores_P: FloatArray, positive_P: BoolArray, scored_P: BoolArray) -> Statistic:
    """Probability that a positive pair outranks a negative one; ties count one half."""
    order = np.flatnonzero(scored_P)[np.argsort(scores_P[scored_P], kind="stable")]
    sorted_scores = scores_P[order]
    # First position of each group of equal scores: within a group no pair outranks another.
    starts = np.flatnonzero(np.concatenate([[True], sorted_scores[1:] != sorted_scores[:-1]])) if len(order) else order

    def statistic(weights_RP: FloatArray) -> FloatArray:
        if not len(order):
            return np.full(len(weights_RP), np.nan)
        weights_RO = weights_RP[:, order]
        positives_RG = np.add.reduceat(weights_RO * positive_P[order], starts, axis=1)
        negatives_RG = np.add.reduceat(weights_RO * ~positive_P[order], starts, axis=1)
        below_RG = np.cumsum(negatives_RG, axis=1) - negatives_RG
        wins_R = (positives_RG * (below_RG + negatives_RG / 2)).sum(axis=1)
        return _ratio(wins_R, positives_RG.sum(axis=1) * negatives_RG.sum(axis=1))

    return statistic


def expected_calibration_error(
    confidence_P: FloatArray, right_P: BoolArray, scored_P: BoolArray, *, bins: int = 15
) -> Statistic:
    """Mean gap between confidence and hit rate over equal-width bins, weighted by the pairs in each.

    Source: Guo et al., On Calibration of Modern Neural Networks (2017), section 2.
    """
    bin_P = np.clip((np.nan_to_num(confidence_P) * bins).astype(np.int64), 0, bins - 1)
    # Within a bin, |mean confidence − hit rate| · weight = |sum of (confidence − right)|.
    gap_P = np.where(scored_P, np.nan_to_num(confidence_P) - right_P, 0.0)
    gap_NP = np.stack([np.where(bin_P == number, gap_P, 0.0) for number in range(bins)])

    def statistic(weights_RP: FloatArray) -> FloatArray:
        return _ratio(np.abs(weights_RP @ gap_NP.T).sum(axis=1), weights_RP @ scored_P.astype(np.float64))

    return statistic


def mcnemar(first_P: FloatArray, second_P: FloatArray, applies_P: BoolArray) -> McNemar:
    """McNemar's exact test on per-pair outcomes, 1 right, 0 wrong, NaN unscored (left out).

    Source: McNemar, Psychometrika 12 (1947); the exact binomial form.
    """
    scored_P = applies_P & ~np.isnan(first_P) & ~np.isnan(second_P)
    only_first = int((scored_P & (first_P > second_P)).sum())
    only_second = int((scored_P & (second_P > first_P)).sum())
    discordant = only_first + only_second
    tail = sum(math.comb(discordant, k) for k in range(min(only_first, only_second) + 1))
    # Whole numbers until the last step: 2^n leaves the range of floats at a thousand discordant pairs.
    p_value = min(1.0, 2 * tail / 2**discordant)
    return McNemar(only_first=only_first, only_second=only_second, n=int(scored_P.sum()), p_value=p_value)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Quotient with NaN, silently, where the denominator is zero."""
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, np.nan)
