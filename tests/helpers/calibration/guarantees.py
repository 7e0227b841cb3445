"""A guarantee with every field."""

from safety_core.policy.guarantee import (
    CalibratedPreset,
    CurvePoint,
    Guarantee,
    GuaranteedRate,
    GuaranteeMethod,
    MeasuredRates,
)
from safety_core.policy.presets import PresetName
from safety_core.score_calibration import ScoreCalibration

POINT = CurvePoint(shift=0.5, rate=0.004, upper=0.009, missed=0.2)
RATE = GuaranteedRate(
    rate="false_refusals", alpha=0.01, delta=0.05, groups=800, errors=3.0, upper=0.0097, curve=[POINT]
)
GUARANTEE = Guarantee(
    method=GuaranteeMethod.LEARN_THEN_TEST,
    delta=0.1,
    data="d" * 64,
    pairs=2000,
    groups=1500,
    seed=0,
    scores=ScoreCalibration(type_temperature=1.5).to_dict(),
    guarantees=[RATE],
    measured=MeasuredRates(false_refusals=0.004),
    presets={
        PresetName.STRICT: CalibratedPreset(
            thresholds={"privacy": {"1": 0.3}}, guarantees=[RATE], measured=MeasuredRates(missed_refusals=0.25)
        )
    },
)
