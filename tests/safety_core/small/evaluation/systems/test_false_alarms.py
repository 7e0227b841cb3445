import random

import pytest

from safety_core.policy.policy import Decision
from safety_core.small.evaluation.systems.false_alarms import (
    FalseAlarms,
    choose_threshold,
    choose_thresholds,
    measure_false_alarms,
)
from safety_core.small.evaluation.systems.system import Score
from tests.helpers.datasets.real_items import make_score


def count_flagged(scores: list[float], threshold: float) -> int:
    return sum(score >= threshold for score in scores)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_as_many_are_flagged_as_permitted(share: float) -> None:
    rng = random.Random(0)
    scores = [rng.random() for _ in range(100)]
    assert count_flagged(scores, choose_threshold(scores, share)) == round(100 * share)


def test_equal_scores_are_never_split() -> None:
    assert count_flagged([0.9, 0.5, 0.5, 0.5], choose_threshold([0.9, 0.5, 0.5, 0.5], 0.5)) == 1
    assert count_flagged([1.0, 1.0], choose_threshold([1.0, 1.0], 0.0)) == 0
    with pytest.raises(ValueError, match="scores"):
        choose_threshold([], 0.1)


def test_false_alarms_are_counted_over_decisions() -> None:
    scores = [make_score(), make_score(Decision.CAUTIONED), make_score(Decision.REFUSED), make_score(), Score()]
    assert measure_false_alarms(scores) == FalseAlarms(flagged=0.5, refused=0.25)
    with pytest.raises(ValueError, match="scores"):
        measure_false_alarms([Score()])


def test_a_high_level_is_refused_and_any_risk_flagged() -> None:
    thresholds = choose_thresholds([0.1, 0.2, 0.3, 0.9], [0.0, 0.1, 0.1, 0.6], FalseAlarms(flagged=0.5, refused=0.25))
    assert thresholds.decide(risk=0.28, high=0.0) is Decision.CAUTIONED
    assert thresholds.decide(risk=0.2, high=0.0) is Decision.ALLOWED
    assert thresholds.decide(risk=0.95, high=0.7) is Decision.REFUSED
