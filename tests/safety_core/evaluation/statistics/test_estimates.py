import math

import numpy as np
import pytest

from safety_core.evaluation.statistics import estimates
from safety_core.evaluation.statistics.estimates import Bootstrap, FloatArray, build_weighted_mean

ALL = np.ones(8, dtype=np.bool_)
VALUES = np.array([1, 0, 1, 1, 0, 1, 0, 1], dtype=np.float64)


def bootstrap(pairs: int = 8, seed: int = 0) -> Bootstrap:
    return Bootstrap(list(range(pairs)), seed=seed)


def test_mean_and_its_interval_depend_on_the_seed_alone() -> None:
    first = bootstrap(seed=3).estimate_mean(VALUES, ALL)
    assert first == bootstrap(seed=3).estimate_mean(VALUES, ALL)
    assert first.value == pytest.approx(5 / 8)
    assert first.low is not None
    assert first.high is not None
    assert 0 <= first.low < 5 / 8 < first.high <= 1
    assert (first.n, first.unscored) == (8, 0)


def test_unscored_pairs_are_left_out_and_counted_not_zero() -> None:
    values = VALUES.copy()
    values[1] = np.nan
    estimate = bootstrap().estimate_mean(values, ALL)
    assert estimate.value == pytest.approx(5 / 7)
    assert (estimate.n, estimate.unscored) == (7, 1)


def test_a_figure_without_scored_pairs_has_no_value() -> None:
    estimate = bootstrap().estimate_mean(np.full(8, np.nan), ALL)
    assert (estimate.value, estimate.low, estimate.high, estimate.n, estimate.unscored) == (None, None, None, 0, 8)


def test_pairs_that_a_figure_is_not_about_are_neither_scored_nor_unscored() -> None:
    estimate = bootstrap().estimate_mean(VALUES, np.array([True] * 3 + [False] * 5))
    assert estimate.value == pytest.approx(2 / 3)
    assert (estimate.n, estimate.unscored) == (3, 0)


def test_no_event_seen_is_not_certainty() -> None:
    never = Bootstrap(list(range(300)), seed=0).estimate_mean(np.zeros(300), np.ones(300, dtype=np.bool_))
    assert never.value == never.low == 0
    assert never.high == pytest.approx(1 - 0.025 ** (1 / 300))
    always = bootstrap().estimate_mean(np.full(8, 10.0), ALL, bounds=(0, 10))
    assert always.value == always.high == 10
    assert always.low == pytest.approx(10 * 0.025 ** (1 / 8))


def test_pairs_of_one_picture_are_drawn_together() -> None:
    values = np.repeat([0.0, 1.0] * 10, 10)
    every = np.ones(200, dtype=np.bool_)
    alone = Bootstrap(list(range(200)), seed=0).estimate_mean(values, every)
    together = Bootstrap([pair // 10 for pair in range(200)], seed=0).estimate_mean(values, every)
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
    estimate = Bootstrap(list(range(400)), seed=0).estimate_difference(first, second, both)
    assert estimate.value == pytest.approx((first - second).mean())
    assert estimate.low is not None
    assert estimate.low > 0, "two noisy rows that differ on a few pairs in one direction differ for certain"


def test_difference_of_equal_rows_is_zero_within_what_the_pairs_can_exclude() -> None:
    estimate = bootstrap().estimate_difference(VALUES, VALUES, ALL)
    assert estimate.value == 0
    assert estimate.high == pytest.approx(1 - 0.025 ** (1 / 8))
    assert estimate.low == pytest.approx(-(1 - 0.025 ** (1 / 8)))


def test_a_pair_unscored_in_one_row_is_out_of_the_difference() -> None:
    second = 1 - VALUES
    second[0] = np.nan
    estimate = bootstrap().estimate_difference(VALUES, second, ALL)
    assert (estimate.n, estimate.unscored) == (7, 1)


def test_a_bootstrap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="pairs and resamples"):
        Bootstrap([], seed=0)


def test_a_figure_without_spread_gets_the_exact_limit_of_the_smaller_class() -> None:
    def perfect(weights_RP: FloatArray) -> FloatArray:
        return np.ones(len(weights_RP))

    positive = np.arange(8) < 3
    estimate = bootstrap().estimate_bounded(perfect, ALL, limiting=[positive, ~positive])
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(0.025 ** (1 / 3))


def test_equal_clusters_between_the_bounds_do_not_claim_certainty() -> None:
    pairs = Bootstrap(["a", "a", "b", "b"], seed=0)
    values, scored = np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4, dtype=np.bool_)
    estimate = pairs.estimate_bounded(build_weighted_mean(values, scored), scored)
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.0, 1.0)


def test_draws_in_chunks_are_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap().estimate_mean(VALUES, ALL)
    monkeypatch.setattr(estimates, "_CHUNK", 100)
    assert bootstrap().estimate_mean(VALUES, ALL) == whole
