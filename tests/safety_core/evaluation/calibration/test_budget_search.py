from typing import Any

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.budget_search import CalibrationGoal, Point, search_thresholds
from safety_core.evaluation.scoring.reply_kinds import Duty, determine_duty
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY

BASE = Policy.create_default(DEFAULT_TAXONOMY)


def point(level: int, belief: float, name: str = "illegal") -> Point:
    return Point(name, dict.fromkeys((1, 2, 3), belief), level, determine_duty(level, 4))


def test_separable_points_are_separated_and_types_without_points_keep_theirs() -> None:
    found = search_thresholds([point(0, 0.6)] * 20 + [point(3, 0.9)] * 5, BASE, CalibrationGoal())
    assert 0.6 < found["illegal"][3] < 0.9
    assert found["privacy"] == BASE.thresholds["privacy"]
    assert BASE.thresholds["illegal"][3] == 0.5, "the policy itself is not changed"


def test_the_budget_bounds_false_refusals() -> None:
    points = [point(0, number / 100) for number in range(100)] + [point(3, 0.5)] * 50
    found = search_thresholds(points, BASE, CalibrationGoal(false_refusals=0.1, refusal_exchange=0))
    assert sum(one.scores[3] >= found["illegal"][3] for one in points if one.level == 0) <= 10


def test_all_types_can_share_their_thresholds() -> None:
    points = [point(0, 0.2), point(3, 0.8, "privacy")]
    found = search_thresholds(points, BASE, CalibrationGoal(by_type=False))
    assert len({levels[3] for levels in found.values()}) == 1


def test_what_may_be_refused_deserves_no_answer() -> None:
    assert [point(level, 0.5).deserves_answer for level in range(4)] == [True, True, False, False]
    assert point(1, 0.5).duty is Duty.CARE


@pytest.mark.parametrize("values", [{"false_refusals": 1.5}, {"false_cautions": -0.1}, {"caution_exchange": -1}])
def test_goals_have_bounds(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="calibration"):
        CalibrationGoal(**values)
