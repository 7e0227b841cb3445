"""Figures of a classifier as statistics of weighted pairs: macro F1, AUROC, AUPRC, expected calibration error.

Shapes: R resamples · P pairs · C classes · N bins · O scored pairs in order of their scores · G groups of ties.
"""

from __future__ import annotations

import numpy as np

from safety_core.evaluation.statistics.estimates import BoolArray, FloatArray, IntArray, Statistic, divide


def build_macro_f1(predicted_P: IntArray, gold_P: IntArray, scored_P: BoolArray, num_classes: int) -> Statistic:
    """Build the statistic: F1 per class that occurs in the gold labels, averaged with equal weight per class."""
    predicted_CP = np.stack([(predicted_P == label) & scored_P for label in range(num_classes)]).astype(np.float64)
    gold_CP = np.stack([(gold_P == label) & scored_P for label in range(num_classes)]).astype(np.float64)

    def compute(weights_RP: FloatArray) -> FloatArray:
        hits_RC = weights_RP @ (predicted_CP * gold_CP).T
        gold_RC = weights_RP @ gold_CP.T
        f1_RC = divide(2 * hits_RC, weights_RP @ predicted_CP.T + gold_RC)
        present_RC = gold_RC > 0
        return divide(np.where(present_RC, f1_RC, 0.0).sum(axis=1), present_RC.sum(axis=1).astype(np.float64))

    return compute


def build_auroc(scores_P: FloatArray, positive_P: BoolArray, scored_P: BoolArray) -> Statistic:
    """Build the statistic: probability that a positive pair outranks a negative one; ties count one half."""
    order = np.flatnonzero(scored_P)[np.argsort(scores_P[scored_P], kind="stable")]
    sorted_scores = scores_P[order]
    # First position of each group of equal scores: pairs of one group are ties.
    starts = np.flatnonzero(np.concatenate([[True], sorted_scores[1:] != sorted_scores[:-1]])) if len(order) else order

    def compute(weights_RP: FloatArray) -> FloatArray:
        if not len(order):
            return np.full(len(weights_RP), np.nan)
        weights_RO = weights_RP[:, order]
        positives_RG = np.add.reduceat(weights_RO * positive_P[order], starts, axis=1)
        negatives_RG = np.add.reduceat(weights_RO * ~positive_P[order], starts, axis=1)
        below_RG = np.cumsum(negatives_RG, axis=1) - negatives_RG
        wins_R = (positives_RG * (below_RG + negatives_RG / 2)).sum(axis=1)
        return divide(wins_R, positives_RG.sum(axis=1) * negatives_RG.sum(axis=1))

    return compute


def build_average_precision(scores_P: FloatArray, positive_P: BoolArray, scored_P: BoolArray) -> Statistic:
    """Build the statistic: area under precision and recall as average precision, without interpolation.

    Equal scores are one step, so the order of ties does not matter. Source: Davis and Goadrich, *The relationship
    between precision-recall and ROC curves*, ICML 2006; the form is that of scikit-learn.
    """
    order = np.flatnonzero(scored_P)[np.argsort(-scores_P[scored_P], kind="stable")]
    sorted_scores = scores_P[order]
    starts = np.flatnonzero(np.concatenate([[True], sorted_scores[1:] != sorted_scores[:-1]])) if len(order) else order

    def compute(weights_RP: FloatArray) -> FloatArray:
        if not len(order):
            return np.full(len(weights_RP), np.nan)
        weights_RO = weights_RP[:, order]
        positives_RG = np.add.reduceat(weights_RO * positive_P[order], starts, axis=1)
        all_RG = np.add.reduceat(weights_RO, starts, axis=1)
        precision_RG = divide(np.cumsum(positives_RG, axis=1), np.cumsum(all_RG, axis=1))
        # A group that was not drawn has no precision and no positives.
        sums_R = np.where(positives_RG > 0, precision_RG * positives_RG, 0.0).sum(axis=1)
        return divide(sums_R, positives_RG.sum(axis=1))

    return compute


def build_quantile(values_P: FloatArray, scored_P: BoolArray, share: float) -> Statistic:
    """Build the statistic: the least value that a share of the scored pairs does not exceed."""
    order = np.flatnonzero(scored_P)[np.argsort(values_P[scored_P], kind="stable")]
    sorted_values = values_P[order]

    def compute(weights_RP: FloatArray) -> FloatArray:
        if not len(order):
            return np.full(len(weights_RP), np.nan)
        reached_RO = np.cumsum(weights_RP[:, order], axis=1)
        total_R = reached_RO[:, -1]
        # The first place that reaches the share, less a rounding error.
        place_R = (reached_RO >= (share * total_R - 1e-9)[:, None]).argmax(axis=1)
        return np.where(total_R > 0, sorted_values[place_R], np.nan)

    return compute


def build_calibration_error(
    confidence_P: FloatArray, right_P: BoolArray, scored_P: BoolArray, *, bins: int = 15
) -> Statistic:
    """Build the statistic: mean gap between confidence and accuracy over equal-width bins, weighted by their pairs.

    Source: Guo et al., On Calibration of Modern Neural Networks (2017), section 2.
    """
    bin_P = np.clip((np.nan_to_num(confidence_P) * bins).astype(np.int64), 0, bins - 1)
    # Within a bin, |mean confidence − accuracy| · weight = |sum of (confidence − right)|.
    gap_P = np.where(scored_P, np.nan_to_num(confidence_P) - right_P, 0.0)
    gap_NP = np.stack([np.where(bin_P == number, gap_P, 0.0) for number in range(bins)])

    def compute(weights_RP: FloatArray) -> FloatArray:
        return divide(np.abs(weights_RP @ gap_NP.T).sum(axis=1), weights_RP @ scored_P.astype(np.float64))

    return compute
