"""Tests and bounds of a rate from independent losses, for finite samples and without assumptions on the scores.

Sources: Clopper and Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*,
Biometrika 26 (1934); Bates, Angelopoulos, Lei, Malik and Jordan, *Distribution-Free, Risk-Controlling Prediction Sets*,
Journal of the ACM 68 (2021), arXiv 2101.02703 (the Hoeffding-Bentkus bound); Angelopoulos, Bates, Candès, Jordan and
Lei, *Learn then Test: Calibrating Predictive Algorithms to Achieve Risk Control*, Annals of Applied Statistics 19
(2025), arXiv 2110.01052 (fixed-sequence testing); Angelopoulos, Bates, Fisch, Lei and Schuster, *Conformal Risk
Control*, ICLR 2024, arXiv 2208.02814.

Losses lie within [0, 1]; rows are independent draws, columns are the steps of a path. Knows nothing of risk.
Shapes: G independent draws · J steps.
"""

from __future__ import annotations

import math

import numpy as np

from safety_core.evaluation.statistics.estimates import FloatArray, IntArray

_BISECTIONS = 60
_ROUNDING = 1e-9


def compute_binomial_cdf(counts: IntArray, trials: int, rate: float) -> FloatArray:
    """Compute P(Bin(trials, rate) ≤ count) for each count, 0 ≤ count ≤ trials and 0 < rate < 1."""
    most = int(counts.max(initial=0))
    index = np.arange(most, dtype=np.float64)
    steps = np.log((trials - index) / (index + 1)) + math.log(rate) - math.log1p(-rate)
    log_masses = np.cumsum(np.concatenate([[trials * math.log1p(-rate)], steps]))
    return np.asarray(np.minimum(np.cumsum(np.exp(log_masses)), 1.0)[counts], dtype=np.float64)


def compute_p_values(losses_GJ: FloatArray, alpha: float) -> FloatArray:
    """Compute the p-value of "the mean loss exceeds alpha" for each step; 1 without any draw.

    Losses that are all 0 or 1 get the exact binomial p-value of Clopper and Pearson, others that of Hoeffding and
    Bentkus.
    """
    draws = len(losses_GJ)
    if not draws:
        return np.ones(losses_GJ.shape[1])
    sums_J = losses_GJ.sum(axis=0)
    return _compute_p_values(sums_J, draws, alpha, binary=is_binary(losses_GJ))


def bound_rates(sums_J: FloatArray, draws: int, delta: float, *, binary: bool = True) -> FloatArray:
    """Compute upper confidence bounds of the mean loss at confidence 1 - delta, by inverting the p-value.

    Args:
        sums_J: sum of the losses at each step.
        draws: number of independent draws.
        delta: probability that the bound is too low.
        binary: whether every loss is 0 or 1.
    """
    if not draws:
        return np.ones(len(sums_J))
    bounds = []
    for total in sums_J:
        low, high = float(total) / draws, 1.0
        for _ in range(_BISECTIONS if low < 1.0 else 0):
            middle = (low + high) / 2
            exceeded = middle >= 1.0 or _compute_p_values(np.array([total]), draws, middle, binary=binary)[0] <= delta
            low, high = (low, middle) if exceeded else (middle, high)
        bounds.append(high)
    return np.array(bounds)


def is_binary(losses: FloatArray) -> bool:
    """Whether every loss is 0 or 1."""
    return bool(np.isin(losses, (0.0, 1.0)).all())


def count_rejections(p_values_J: FloatArray, delta: float) -> int:
    """Count the leading steps whose p-values are at most delta.

    This is fixed-sequence testing: the order of the steps is fixed before the losses are seen, and testing stops at the
    first hypothesis that is not rejected. The probability of any false rejection is at most delta, whatever the number
    of steps; no correction for their number is needed.
    """
    return int(np.cumprod(p_values_J <= delta).sum())


def count_controlled(losses_GJ: FloatArray, alpha: float) -> int:
    """Count the leading steps at which conformal risk control holds the expected loss of one more draw at most alpha.

    Losses must not decrease from step to step. One further draw may lose everything, hence the 1 in the numerator.
    """
    draws = len(losses_GJ)
    return int(np.cumprod((losses_GJ.sum(axis=0) + 1.0) / (draws + 1) <= alpha).sum())


def compute_excess_p_value(violations: int, trials: int, delta: float) -> float:
    """Compute the one-sided binomial p-value of "violations are more frequent than delta"."""
    if violations == 0:
        return 1.0
    return 1.0 - float(compute_binomial_cdf(np.array([violations - 1]), trials, delta)[0])


def find_least_draws(alpha: float, delta: float) -> int:
    """Find how many draws without any loss are needed to reject "the mean loss exceeds alpha"."""
    return math.ceil(math.log(delta) / math.log1p(-alpha) - _ROUNDING)


def _compute_p_values(sums_J: FloatArray, draws: int, alpha: float, *, binary: bool) -> FloatArray:
    counts_J = np.ceil(sums_J - _ROUNDING).astype(np.int64)
    exact_J = compute_binomial_cdf(counts_J, draws, alpha)
    if binary:
        return exact_J
    rates_J = np.minimum(sums_J / draws, alpha)
    hoeffding_J = np.exp(-draws * _compute_divergence(rates_J, alpha))
    return np.asarray(np.minimum(np.minimum(hoeffding_J, math.e * exact_J), 1.0), dtype=np.float64)


def _compute_divergence(rates_J: FloatArray, alpha: float) -> FloatArray:
    """Compute the Kullback-Leibler divergence of Bernoulli variables with these rates from one with rate alpha."""
    clipped_J = np.clip(rates_J, 1e-300, 1 - 1e-16)
    hits_J = np.where(rates_J > 0, rates_J * np.log(clipped_J / alpha), 0.0)
    return np.asarray(hits_J + (1 - rates_J) * np.log((1 - rates_J) / (1 - alpha)), dtype=np.float64)
