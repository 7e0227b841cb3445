"""Statistics that the evaluation of the nano has no need of: recall at a bound on false alarms, weighted medians.

Shapes: R resamples · I items · O scored items in order of their values.
"""

import numpy as np

from safety_core.evaluation.statistics.estimates import BoolArray, FloatArray, Statistic, divide


def build_recall_at(risks_I: FloatArray, positive_I: BoolArray, negative_I: BoolArray, share: float) -> Statistic:
    """Build the statistic: share of the positives whose risk is above the risk that a share of the negatives exceeds.

    Args:
        risks_I: risks; NaN for items without one, which count in neither class.
        positive_I: items that should be flagged.
        negative_I: items that should not.
        share: the largest share of negatives that may be flagged.
    """
    scored_I = ~np.isnan(risks_I)
    chosen = np.flatnonzero(scored_I & (positive_I | negative_I))
    order = chosen[np.argsort(-risks_I[chosen], kind="stable")]
    values_O = risks_I[order]
    # Items of equal risk are flagged together: only the last place of a tie can be the end of the flagged ones.
    last_O = np.append(values_O[1:] != values_O[:-1], True) if len(order) else np.zeros(0, dtype=np.bool_)

    def compute(weights_RI: FloatArray) -> FloatArray:
        if not len(order):
            return np.full(len(weights_RI), np.nan)
        weights_RO = weights_RI[:, order]
        positives_RO = np.cumsum(weights_RO * positive_I[order], axis=1)
        negatives_RO = np.cumsum(weights_RO * negative_I[order], axis=1)
        allowed_RO = last_O & (negatives_RO <= share * negatives_RO[:, -1:] + 1e-9)
        found_R = np.where(allowed_RO, positives_RO, 0.0).max(axis=1)
        recall_R = divide(found_R, positives_RO[:, -1])
        return np.where(negatives_RO[:, -1] > 0, recall_R, np.nan)

    return compute


def build_weighted_median(values_I: FloatArray, applies_I: BoolArray) -> Statistic:
    """Build the statistic: median of the values that are not NaN among the items that it applies to."""
    chosen = np.flatnonzero(applies_I & ~np.isnan(values_I))
    order = chosen[np.argsort(values_I[chosen], kind="stable")]

    def compute(weights_RI: FloatArray) -> FloatArray:
        if not len(order):
            return np.full(len(weights_RI), np.nan)
        below_RO = np.cumsum(weights_RI[:, order], axis=1)
        middle_R = (below_RO >= below_RO[:, -1:] / 2).argmax(axis=1)
        return np.where(below_RO[:, -1] > 0, values_I[order][middle_R], np.nan)

    return compute
