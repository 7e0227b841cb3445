import numpy as np
import pytest

from safety_core.evaluation.statistics.mcnemar import run_mcnemar_test


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"), [(0, 0, 1.0), (5, 0, 0.0625), (8, 2, 0.109375), (3, 3, 1.0)]
)
def test_mcnemar_is_the_exact_binomial(only_first: int, only_second: int, p_value: float) -> None:
    first = np.array([1.0] * only_first + [0.0] * only_second + [1.0, 0.0, np.nan])
    second = np.array([0.0] * only_first + [1.0] * only_second + [1.0, 0.0, 1.0])
    result = run_mcnemar_test(first, second, np.ones(len(first), dtype=np.bool_))
    assert (result.only_first, result.only_second) == (only_first, only_second)
    assert result.n == len(first) - 1
    assert result.p_value == pytest.approx(p_value)


def test_mcnemar_survives_thousands_of_disagreements() -> None:
    first = np.array([1.0] * 1500 + [0.0] * 500)
    assert 0 < run_mcnemar_test(first, 1 - first, np.ones(2000, dtype=np.bool_)).p_value < 1e-50
