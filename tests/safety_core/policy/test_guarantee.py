from typing import Any

import pytest
from pydantic import ValidationError

from safety_core.policy.guarantee import MAX_CURVE, Guarantee, describe_rate
from safety_core.score_calibration import ScoreCalibration
from tests.helpers.calibration.guarantees import GUARANTEE, POINT, RATE


def test_the_json_form_is_read_back() -> None:
    data = GUARANTEE.to_dict()
    assert Guarantee.model_validate(data) == GUARANTEE
    assert data["method"] == "learn-then-test"
    assert isinstance(data["presets"], dict)
    assert "strict" in data["presets"]
    assert data["measured"] == {"false_refusals": 0.004}, "what was not measured is left out"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "hope"},
        {"delta": 1.5},
        {"surplus": 1},
        {"presets": {"lenient": {}}},
        {"guarantees": [RATE.model_dump() | {"curve": [POINT.model_dump()] * (MAX_CURVE + 1)}]},
        {"guarantees": [RATE.model_dump() | {"rate": "misses"}]},
        {"measured": {"false_refusals": 2.0}},
    ],
)
def test_malformed_fields_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Guarantee.model_validate(GUARANTEE.to_dict() | change)


def test_a_guarantee_is_for_the_scores_it_was_made_with() -> None:
    assert GUARANTEE.is_for(ScoreCalibration(type_temperature=1.5).to_dict())
    assert not GUARANTEE.is_for(ScoreCalibration().to_dict())


def test_a_guarantee_is_described_in_one_line() -> None:
    assert describe_rate(RATE) == (
        "with probability 0.95, at most 1.000% of the requests that deserve an answer are refused "
        "(3 of 800 groups, upper bound 0.970%)"
    )
    average = describe_rate(RATE.model_copy(update={"delta": None, "rate": "false_cautions"}))
    assert average.startswith("on average, at most 1.000% of the harmless requests reach")
