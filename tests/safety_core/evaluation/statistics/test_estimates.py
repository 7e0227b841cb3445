import math

import numpy as np
import pytest

from safety_core.evaluation.statistics.estimates import (
    Bootstrap,
    FloatArray,
    Statistic,
    auroc,
    expected_calibration_error,
    macro_f1,
    mcnemar,
)

ALL = np.ones(8, dtype=np.bool_)
VALUES = np.array([1, 0, 1, 1, 0, 1, 0, 1], dtype=np.float64)


def bootstrap(pairs: int = 8, seed: int = 0) -> Bootstrap:
    return Bootstrap(list(range(pairs)), seed=seed)


def point(statistic: Statistic, pairs: int) -> float:
    return float(statistic(np.ones((1, pairs)))[0])


def test_mean_and_its_interval_depend_on_the_seed_alone() -> None:
    first = bootstrap(seed=3).mean(VALUES, ALL)
    assert first == bootstrap(seed=3).mean(VALUES, ALL)
    assert first.value == pytest.approx(5 / 8)
    assert first.low is not None
    assert first.high is not None
    assert 0 <= first.low < 5 / 8 < first.high <= 1
    assert (first.n, first.unscored) == (8, 0)


def test_unscored_pairs_are_left_out_and_counted_not_zero() -> None:
    values = VALUES.copy()
    values[1] = np.nan
    estimate = bootstrap().mean(values, ALL)
    assert estimate.value == pytest.approx(5 / 7)
    assert (estimate.n, estimate.unscored) == (7, 1)


def test_a_figure_without_scored_pairs_has_no_value() -> None:
    estimate = bootstrap().mean(np.full(8, np.nan), ALL)
    assert (estimate.value, estimate.low, estimate.high, estimate.n, estimate.unscored) == (None, None, None, 0, 8)


def test_pairs_that_a_figure_is_not_about_are_neither_scored_nor_unscored() -> None:
    estimate = bootstrap().mean(VALUES, np.array([True] * 3 + [False] * 5))
    assert estimate.value == pytest.approx(2 / 3)
    assert (estimate.n, estimate.unscored) == (3, 0)


def test_no_event_seen_is_not_certainty() -> None:
    never = Bootstrap(list(range(300)), seed=0).mean(np.zeros(300), np.ones(300, dtype=np.bool_))
    assert never.value == never.low == 0
    assert never.high == pytest.approx(1 - 0.025 ** (1 / 300))
    always = bootstrap().mean(np.full(8, 10.0), ALL, bounds=(0, 10))
    assert always.value == always.high == 10
    assert always.low == pytest.approx(10 * 0.025 ** (1 / 8))


def test_pairs_of_one_picture_are_drawn_together() -> None:
    values = np.repeat([0.0, 1.0] * 10, 10)
    every = np.ones(200, dtype=np.bool_)
    alone = Bootstrap(list(range(200)), seed=0).mean(values, every)
    together = Bootstrap([pair // 10 for pair in range(200)], seed=0).mean(values, every)
    assert alone.low is not None
    assert together.low is not None
    # Ten copies of a coin are one coin: the interval is √10 times as wide.
    assert (0.5 - together.low) / (0.5 - alone.low) == pytest.approx(math.sqrt(10), rel=0.2)


def test_difference_is_paired() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 400).astype(np.float64)
    second = first.copy()
    second[:20] = 0
    both = np.ones(400, dtype=np.bool_)
    estimate = Bootstrap(list(range(400)), seed=0).difference(first, second, both)
    assert estimate.value == pytest.approx((first - second).mean())
    assert estimate.low is not None
    assert estimate.low > 0, "two noisy rows that differ on a few pairs in one direction differ for certain"


def test_difference_of_equal_rows_is_zero_within_what_the_pairs_can_exclude() -> None:
    estimate = bootstrap().difference(VALUES, VALUES, ALL)
    assert estimate.value == 0
    assert estimate.high == pytest.approx(1 - 0.025 ** (1 / 8))
    assert estimate.low == pytest.approx(-(1 - 0.025 ** (1 / 8)))


def test_a_pair_unscored_in_one_row_is_out_of_the_difference() -> None:
    second = 1 - VALUES
    second[0] = np.nan
    estimate = bootstrap().difference(VALUES, second, ALL)
    assert (estimate.n, estimate.unscored) == (7, 1)


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
    statistic = auroc(scores, positive, every)
    assert point(statistic, 6) == pytest.approx(brute_auroc(scores, positive.tolist()))
    twice = float(statistic(np.array([[1.0, 2, 1, 1, 0, 3]]))[0])
    repeated = [0, 1, 1, 2, 3, 5, 5, 5]
    assert twice == pytest.approx(brute_auroc(scores[repeated], positive[repeated].tolist()))


def test_auroc_of_one_class_or_nothing_is_undefined() -> None:
    one = auroc(VALUES, ALL, ALL)
    none = auroc(VALUES, ALL, ~ALL)
    assert math.isnan(point(one, 8))
    assert math.isnan(point(none, 8))
    assert bootstrap().estimate(one, n=8).value is None


def test_macro_f1_weighs_classes_equally_and_skips_absent_ones() -> None:
    gold = np.array([0, 0, 0, 1, 1, 3])
    predicted = np.array([0, 0, 1, 1, 2, 3])
    statistic = macro_f1(predicted, gold, np.ones(6, dtype=np.bool_), 4)
    # class 0: 4/5, class 1: 2/4, class 3: 1; class 2 never occurs in the gold labels.
    assert point(statistic, 6) == pytest.approx((0.8 + 0.5 + 1.0) / 3)


def test_ece_is_the_weighted_gap_of_confidence_and_hits() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.3, 1.0])
    right = np.array([True, True, False, False, False, True])
    statistic = expected_calibration_error(confidence, right, np.ones(6, dtype=np.bool_), bins=10)
    # One bin holds 0.9 four times and the 1.0: gap |4.6 − 3|; the other |0.3 − 0|.
    assert point(statistic, 6) == pytest.approx((abs(3.6 + 1.0 - 3) + 0.3) / 6)
    spread = expected_calibration_error(confidence, right, np.ones(6, dtype=np.bool_), bins=20)
    assert point(spread, 6) == pytest.approx((abs(3.6 - 2) + 0.3 + 0.0) / 6)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"), [(0, 0, 1.0), (5, 0, 0.0625), (8, 2, 0.109375), (3, 3, 1.0)]
)
def test_mcnemar_is_the_exact_binomial(only_first: int, only_second: int, p_value: float) -> None:
    first = np.array([1.0] * only_first + [0.0] * only_second + [1.0, 0.0, np.nan])
    second = np.array([0.0] * only_first + [1.0] * only_second + [1.0, 0.0, 1.0])
    result = mcnemar(first, second, np.ones(len(first), dtype=np.bool_))
    assert (result.only_first, result.only_second) == (only_first, only_second)
    assert result.n == len(first) - 1
    assert result.p_value == pytest.approx(p_value)


def test_mcnemar_survives_thousands_of_disagreements() -> None:
    first = np.array([1.0] * 1500 + [0.0] * 500)
    assert 0 < mcnemar(first, 1 - first, np.ones(2000, dtype=np.bool_)).p_value < 1e-50


def test_a_bootstrap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="pairs and resamples"):
        Bootstrap([], seed=0)
