"""Agreement of two raters as a statistic of weighted pairs. Knows no raters."""

from safety_core.evaluation.statistics.estimates import FloatArray, Statistic, divide


def build_kappa(first_P: FloatArray, second_P: FloatArray) -> Statistic:
    """Build the statistic: Cohen's kappa of two raters who say 0 or 1; NaN where both always say the same.

    Source: Cohen, A Coefficient of Agreement for Nominal Scales (1960).
    """

    def compute(weights_RP: FloatArray) -> FloatArray:
        total_R = weights_RP.sum(axis=1)
        observed_R = divide(weights_RP @ (first_P == second_P).astype(first_P.dtype), total_R)
        first_R, second_R = divide(weights_RP @ first_P, total_R), divide(weights_RP @ second_P, total_R)
        expected_R = first_R * second_R + (1 - first_R) * (1 - second_R)
        return divide(observed_R - expected_R, 1 - expected_R)

    return compute
