from typing import Any

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.policy.guarantee import GuaranteeMethod


def test_cautions_have_the_limit_of_refusals_unless_they_have_their_own() -> None:
    assert Promise(alpha=0.02).get_alpha("false_cautions") == 0.02
    own = Promise(alpha=0.02, alpha_cautions=0.05)
    assert (own.get_alpha("false_refusals"), own.get_alpha("false_cautions")) == (0.02, 0.05)
    assert not own.controls_average
    assert Promise(method=GuaranteeMethod.RISK_CONTROL).controls_average


@pytest.mark.parametrize(
    "values", [{"alpha": 0.0}, {"alpha": 1.0}, {"alpha_cautions": 2.0}, {"delta": -0.1}, {"refusal_exchange": -1.0}]
)
def test_promises_have_bounds(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="calibration"):
        Promise(**values)
