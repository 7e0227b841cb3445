import math

import numpy as np
import pytest

from safety_core.evaluation.statistics.classification import (
    build_auroc,
    build_average_precision,
    build_calibration_error,
    build_macro_f1,
    build_quantile,
)
from safety_core.evaluation.statistics.estimates import Bootstrap, FloatArray, Statistic

ALL = np.ones(8, dtype=np.bool_)
VALUES = np.array([1, 0, 1, 1, 0, 1, 0, 1], dtype=np.float64)


def point(statistic: Statistic, pairs: int) -> float:
    return float(statistic(np.ones((1, pairs)))[0])


def brute_auroc(scores: FloatArray, positive: list[bool]) -> float:
    pairs = [
        (p, n)
        for p, is_p in zip(scores, positive, strict=True)
        if is_p
        for n, q in zip(scores, positive, strict=True)
        if not q
    ]
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)


def test_auroc_counts_ties_one_half_and_takes_weights() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8, 0.4, 0.2])
    positive = np.array([False, True, False, True, True, False])
    every = np.ones(6, dtype=np.bool_)
    statistic = build_auroc(scores, positive, every)
    assert point(statistic, 6) == pytest.approx(brute_auroc(scores, positive.tolist()))
    twice = float(statistic(np.array([[1.0, 2, 1, 1, 0, 3]]))[0])
    repeated = [0, 1, 1, 2, 3, 5, 5, 5]
    assert twice == pytest.approx(brute_auroc(scores[repeated], positive[repeated].tolist()))


def test_auroc_of_one_class_or_nothing_is_undefined() -> None:
    one = build_auroc(VALUES, ALL, ALL)
    none = build_auroc(VALUES, ALL, ~ALL)
    assert math.isnan(point(one, 8))
    assert math.isnan(point(none, 8))
    assert Bootstrap(list(range(8)), seed=0).estimate(one, n=8).value is None


def test_macro_f1_weighs_classes_equally_and_skips_absent_ones() -> None:
    gold = np.array([0, 0, 0, 1, 1, 3])
    predicted = np.array([0, 0, 1, 1, 2, 3])
    statistic = build_macro_f1(predicted, gold, np.ones(6, dtype=np.bool_), 4)
    # class 0: 4/5, class 1: 2/4, class 3: 1; class 2 never occurs in the gold labels.
    assert point(statistic, 6) == pytest.approx((0.8 + 0.5 + 1.0) / 3)


def test_ece_is_the_weighted_gap_of_confidence_and_hits() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.3, 1.0])
    right = np.array([True, True, False, False, False, True])
    statistic = build_calibration_error(confidence, right, np.ones(6, dtype=np.bool_), bins=10)
    # One bin holds 0.9 four times and the 1.0: gap |4.6 − 3|; the other |0.3 − 0|.
    assert point(statistic, 6) == pytest.approx((abs(3.6 + 1.0 - 3) + 0.3) / 6)
    spread = build_calibration_error(confidence, right, np.ones(6, dtype=np.bool_), bins=20)
    assert point(spread, 6) == pytest.approx((abs(3.6 - 2) + 0.3 + 0.0) / 6)


def test_average_precision_counts_ties_as_one_step_and_takes_weights() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, 40).astype(np.float64)
    positive = rng.random(40) < 0.4
    statistic = build_average_precision(scores, positive, np.ones(40, dtype=np.bool_))
    for weights in (np.ones(40), rng.integers(0, 4, 40).astype(np.float64)):
        expected = metrics.average_precision_score(positive, scores, sample_weight=weights)
        assert statistic(weights[None])[0] == pytest.approx(expected)
    assert math.isnan(point(build_average_precision(scores, np.zeros(40, dtype=np.bool_), positive), 40))


def test_quantiles_follow_weights_and_leave_out_unscored_pairs() -> None:
    values = np.array([5.0, 1.0, 3.0, np.nan, 2.0])
    scored = ~np.isnan(values)
    assert point(build_quantile(values, scored, 0.5), 5) == 2.0
    assert point(build_quantile(values, scored, 0.95), 5) == 5.0
    assert build_quantile(values, scored, 0.5)(np.array([[3.0, 1, 1, 9, 0]]))[0] == 5.0
    assert math.isnan(point(build_quantile(values, np.zeros(5, dtype=np.bool_), 0.5), 5))
