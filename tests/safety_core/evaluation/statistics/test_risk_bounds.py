import math

import numpy as np
import pytest

from safety_core.evaluation.statistics.risk_bounds import (
    bound_rates,
    compute_binomial_cdf,
    compute_excess_p_value,
    compute_p_values,
    count_controlled,
    count_rejections,
    find_least_draws,
)


def sum_masses(count: int, trials: int, rate: float) -> float:
    return sum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(count + 1))


@pytest.mark.parametrize(("count", "trials", "rate"), [(0, 1, 0.5), (3, 40, 0.1), (40, 40, 0.3), (7, 300, 0.01)])
def test_the_cdf_is_the_sum_of_its_masses(count: int, trials: int, rate: float) -> None:
    assert compute_binomial_cdf(np.array([count]), trials, rate)[0] == pytest.approx(sum_masses(count, trials, rate))


def test_p_values_of_binary_losses_are_exact() -> None:
    losses = np.zeros((200, 2))
    losses[:3, 1] = 1
    assert compute_p_values(losses, 0.05).tolist() == pytest.approx([0.95**200, sum_masses(3, 200, 0.05)])
    assert compute_p_values(np.zeros((0, 2)), 0.05).tolist() == [1.0, 1.0]


def test_p_values_are_valid_where_the_rate_is_alpha() -> None:
    """Among draws whose mean is exactly alpha, a p-value of at most delta is not more frequent than delta."""
    rng = np.random.default_rng(0)
    binary = rng.random((4000, 150)) < 0.1
    graded = rng.beta(0.2, 1.8, size=(4000, 150))  # mean 0.1
    for losses in (binary, graded):
        p_values = compute_p_values(losses.T.astype(float), 0.1)
        for delta in (0.05, 0.2):
            exceeding = int((p_values <= delta).sum())
            assert compute_excess_p_value(exceeding, len(p_values), delta) > 0.001


def test_bounds_invert_the_p_value() -> None:
    losses = np.zeros((500, 3))
    losses[:2, 1] = 1
    losses[:9, 2] = 1
    uppers = bound_rates(losses.sum(axis=0), 500, 0.05)
    for step, upper in enumerate(uppers):
        assert compute_p_values(losses[:, [step]], float(upper) * 1.0001)[0] <= 0.05
        assert compute_p_values(losses[:, [step]], float(upper) * 0.999)[0] > 0.05
    assert (np.diff(uppers) > 0).all()
    assert uppers[0] == pytest.approx(1 - 0.05 ** (1 / 500))
    assert bound_rates(np.array([4.0]), 4, 0.05).tolist() == [1.0]
    assert bound_rates(np.array([0.0]), 0, 0.05).tolist() == [1.0]


def test_the_bound_for_graded_losses_is_wider_than_the_exact_one() -> None:
    exact, graded = (bound_rates(np.array([5.0]), 400, 0.1, binary=binary)[0] for binary in (True, False))
    assert exact < graded < 2 * exact


def test_testing_stops_at_the_first_step_that_is_not_rejected() -> None:
    assert count_rejections(np.array([0.01, 0.04, 0.2, 0.01]), 0.05) == 2
    assert count_rejections(np.array([0.06, 0.01]), 0.05) == 0
    assert count_rejections(np.array([]), 0.05) == 0


def test_risk_control_counts_one_more_loss() -> None:
    losses = np.zeros((99, 3))
    losses[:4, 1] = 1
    losses[:5, 2] = 1
    assert count_controlled(losses, 0.05) == 2
    assert count_controlled(losses[:10], 0.05) == 0


def test_risk_control_holds_the_mean_on_one_more_draw() -> None:
    rng = np.random.default_rng(1)
    steps = np.linspace(0, 1, 101)
    drawn = []
    for _ in range(2000):
        scores = rng.random(60)
        passing = count_controlled((scores[:, None] < steps).astype(float), 0.1)
        drawn.append(rng.random() < steps[max(passing - 1, 0)])
    assert compute_excess_p_value(int(np.sum(drawn)), len(drawn), 0.1) > 0.001


def test_an_excess_is_tested_one_sided() -> None:
    assert compute_excess_p_value(0, 100, 0.1) == 1.0
    assert compute_excess_p_value(10, 100, 0.1) > 0.4
    assert compute_excess_p_value(16, 100, 0.1) < 0.05 < compute_excess_p_value(15, 100, 0.1)


def test_the_least_number_of_draws() -> None:
    assert find_least_draws(0.01, 0.05) == 299
    assert compute_p_values(np.zeros((299, 1)), 0.01)[0] <= 0.05 < compute_p_values(np.zeros((298, 1)), 0.01)[0]
