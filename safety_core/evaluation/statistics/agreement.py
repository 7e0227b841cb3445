"""Agreement of two raters as a statistic of weighted pairs. Knows no raters."""

import numpy as np

from safety_core.evaluation.statistics.estimates import BoolArray, FloatArray, Statistic, divide


def build_kappa(first_P: FloatArray, second_P: FloatArray, scored_P: BoolArray | None = None) -> Statistic:
    """Build the statistic: Cohen's kappa of two raters who say 0 or 1; NaN where both always say the same.

    Source: Cohen, A Coefficient of Agreement for Nominal Scales (1960).

    Args:
        first_P: what the first rater says.
        second_P: what the second rater says.
        scored_P: mask of the pairs that both have rated; all if None.
    """
    mask_P = np.ones(len(first_P), dtype=np.bool_) if scored_P is None else scored_P
    one_P, two_P = np.where(mask_P, first_P, 0.0), np.where(mask_P, second_P, 0.0)
    same_P = (mask_P & (one_P == two_P)).astype(np.float64)

    def compute(weights_RP: FloatArray) -> FloatArray:
        total_R = weights_RP @ mask_P.astype(np.float64)
        observed_R = divide(weights_RP @ same_P, total_R)
        first_R, second_R = divide(weights_RP @ one_P, total_R), divide(weights_RP @ two_P, total_R)
        expected_R = first_R * second_R + (1 - first_R) * (1 - second_R)
        return divide(observed_R - expected_R, 1 - expected_R)

    return compute
