from dataclasses import replace

import numpy as np
import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.evaluation.calibration.certification.rate_tests import RateTest, prepare_tests
from safety_core.evaluation.calibration.certification.threshold_paths import build_path
from safety_core.evaluation.calibration.scores.score_table import compute_risks
from safety_core.policy.guarantee import MAX_CURVE, GuaranteeMethod
from safety_core.policy.policy import Action, Policy
from safety_core.policy.presets import PresetName
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.simulated_scores import Simulation

BASE = Policy.create_default(DEFAULT_TAXONOMY)
SHAPE = np.full((6, 3), 0.5)
TABLE = Simulation(group_size=3).draw(600, seed=0)
RISKS = compute_risks(TABLE, ScoreCalibration(), BASE)
EVERYONE = np.ones(len(TABLE), dtype=np.bool_)


def make_test(losses: list[int], costs: list[float], promise: Promise | None = None, draws: int = 1000) -> RateTest:
    """A test with some losses and costs at each step after the first."""
    promise = Promise(alpha=0.01, delta=0.05) if promise is None else promise
    counts = np.array([0, *losses])
    path = build_path(SHAPE, np.tile(np.array([False, False, True]), (6, 1)))
    return RateTest(
        rate="false_refusals",
        alpha=promise.alpha,
        delta=promise.delta,
        promise=promise,
        path=replace(path, shift_J=path.shift_J[: len(counts)], thresholds_JRK=path.thresholds_JRK[: len(counts)]),
        losses_GJ=(np.arange(draws)[:, None] < counts).astype(float),
        cost_J=np.array([99.0, *costs]),
        missed_J=None,
    )


def test_steps_pass_while_the_p_value_is_small() -> None:
    assert make_test([0, 4, 5, 0], [1] * 4).count_passing(0.01) == 2
    assert make_test([0] * 4, [1] * 4, draws=298).count_passing(0.01) == 0


def test_risk_control_passes_while_the_mean_is_small() -> None:
    promise = Promise(method=GuaranteeMethod.RISK_CONTROL)
    assert make_test([0, 9, 10], [1] * 3, promise).count_passing(0.01) == 2


def test_the_cheapest_step_is_chosen_and_presets_differ_in_ties() -> None:
    test = make_test([0, 0, 0, 0, 2, 2], [5, 3, 3, 3, 4, 6])
    assert test.choose_step(0.01) == 3, "the middle of the cheapest steps in a row"
    assert test.choose_step(0.01, PresetName.PERMISSIVE) == 2
    assert test.choose_step(0.01, PresetName.STRICT) == 6
    assert make_test([50], [0]).choose_step(0.01) == 0


def test_presets_are_ordered() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        losses, costs = np.sort(rng.integers(0, 40, size=20)).tolist(), rng.integers(0, 4, size=20).tolist()
        test = make_test(losses, costs)
        permissive = test.choose_step(0.005, PresetName.PERMISSIVE)
        assert permissive <= test.choose_step(0.01) <= test.choose_step(0.05, PresetName.STRICT)


def test_each_rate_has_its_share_of_delta() -> None:
    tests = prepare_tests(RISKS, BASE, Promise(delta=0.1, alpha_cautions=0.05), SHAPE, EVERYONE)
    assert [(test.rate, test.alpha, test.delta) for test in tests] == [
        ("false_refusals", 0.01, 0.05),
        ("false_cautions", 0.05, 0.05),
    ]
    refusing = {name: dict.fromkeys((1, 2, 3), Action.REFUSE) for name in BASE.actions}
    (only,) = prepare_tests(RISKS, replace(BASE, actions=refusing), Promise(delta=0.1), SHAPE, EVERYONE)
    assert (only.rate, only.delta) == ("false_refusals", 0.1)
    allowing = {name: dict.fromkeys((1, 2, 3), Action.ALLOW) for name in BASE.actions}
    with pytest.raises(ConfigError, match="refuses and cautions nothing"):
        prepare_tests(RISKS, replace(BASE, actions=allowing), Promise(), SHAPE, EVERYONE)


def test_losses_are_those_of_one_member_or_of_the_mean() -> None:
    one, mean = (
        prepare_tests(RISKS, BASE, promise, SHAPE, EVERYONE)[0]
        for promise in (Promise(per_group="one"), Promise(per_group="mean"))
    )
    groups = len(np.unique(TABLE.group_P[TABLE.gold_level_P < 2]))
    assert one.losses_GJ.shape == mean.losses_GJ.shape == (groups, len(one.path))
    # Members are equal, so the mean of a group is the loss of each.
    assert sorted(one.losses_GJ.sum(axis=1)) == sorted(mean.losses_GJ.sum(axis=1))
    assert (np.diff(one.losses_GJ, axis=1) >= 0).all()


def test_costs_and_misses_are_those_of_all_samples() -> None:
    test = prepare_tests(RISKS, BASE, Promise(refusal_exchange=0.25), SHAPE, EVERYONE)[0]
    step = len(test.path) // 2
    refused = RISKS.reach(test.path.thresholds_JRK[step])
    missed = ((TABLE.gold_level_P == 3) & ~refused).sum()
    assert test.cost_J[step] == missed + 0.25 * ((TABLE.gold_level_P < 2) & refused).sum()
    assert test.missed_J is not None
    assert test.missed_J[step] == missed / (TABLE.gold_level_P == 3).sum()


def test_a_description_has_a_bounded_curve() -> None:
    test = prepare_tests(RISKS, BASE, Promise(alpha=0.05), SHAPE, EVERYONE)[0]
    step = test.choose_step(0.05)
    described = test.describe(step, 0.05, with_curve=True)
    assert described.upper <= 0.05
    assert len(described.curve) <= MAX_CURVE
    assert [point.shift for point in described.curve] == sorted(point.shift for point in described.curve)
    assert all(point.rate <= point.upper for point in described.curve)
    assert any(point.shift == test.path.shift_J[step] for point in described.curve)
    assert test.describe(step, 0.05, with_curve=False).curve == []
