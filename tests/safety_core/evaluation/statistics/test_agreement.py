import numpy as np
import pytest

from safety_core.evaluation.statistics.agreement import build_kappa


def test_kappa_is_the_textbooks() -> None:
    first_I = np.array([1.0] * 25 + [0.0] * 25)
    second_I = np.array([1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15)
    kappa = build_kappa(first_I, second_I)
    assert kappa(np.ones((1, 50)))[0] == pytest.approx(0.4)
    assert np.isnan(build_kappa(np.ones(3), np.ones(3))(np.ones((1, 3)))[0])


def test_pairs_that_one_rater_left_out_do_not_count() -> None:
    first_P, second_P = np.array([1.0, 0.0, np.nan, 1.0]), np.array([1.0, 0.0, 1.0, np.nan])
    kappa = build_kappa(first_P, second_P, np.array([True, True, False, False]))
    assert kappa(np.ones((1, 4)))[0] == 1
    assert np.isnan(build_kappa(first_P, second_P, np.zeros(4, dtype=np.bool_))(np.ones((1, 4)))[0])
