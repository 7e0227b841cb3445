import numpy as np
import pytest

from safety_core.small.evaluation.figures.statistics import build_recall_at, build_weighted_median


def compute_recall(risks: list[float], risky: list[int], share: float, weights: list[float] | None = None) -> float:
    positive_I = np.array(risky, dtype=np.bool_)
    weights_RI = np.array([weights or [1.0] * len(risks)])
    return float(build_recall_at(np.array(risks), positive_I, ~positive_I, share)(weights_RI)[0])


@pytest.mark.parametrize(("share", "recall"), [(0.0, 1 / 3), (0.49, 1 / 3), (0.5, 2 / 3), (1.0, 1.0)])
def test_recall_where_a_share_of_the_harmless_is_flagged(share: float, recall: float) -> None:
    assert compute_recall([0.9, 0.8, 0.7, 0.6, 0.1], [1, 0, 1, 0, 1], share) == pytest.approx(recall)


def test_equal_risks_are_flagged_together() -> None:
    assert compute_recall([0.9, 0.5, 0.5], [1, 1, 0], 0.0) == pytest.approx(0.5)


def test_an_item_that_is_drawn_twice_counts_twice() -> None:
    assert compute_recall([0.9, 0.8, 0.1], [1, 0, 1], 0.0, [2, 1, 1]) == pytest.approx(2 / 3)


def test_items_without_risk_and_resamples_without_a_class_do_not_count() -> None:
    assert compute_recall([0.9, float("nan"), 0.1], [1, 1, 0], 0.0) == 1.0
    assert np.isnan(compute_recall([0.9, 0.1], [1, 0], 0.5, [1, 0]))
    assert np.isnan(compute_recall([float("nan")], [1], 0.5))


def test_the_median_follows_the_weights() -> None:
    values_I, all_I = np.array([3.0, 1.0, float("nan"), 2.0]), np.ones(4, dtype=np.bool_)
    weights_RI = np.array([[1.0, 1, 1, 1], [5, 1, 1, 1], [0, 0, 3, 0]])
    medians = build_weighted_median(values_I, all_I)(weights_RI)
    assert medians[:2].tolist() == [2.0, 3.0]
    assert np.isnan(medians[2])
