"""Simulated data sets, whose true rates are measured on a large sample of the same distribution."""

from dataclasses import replace

import numpy as np
import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.certification.certified_thresholds import (
    certify_thresholds,
    explain_abstention,
)
from safety_core.evaluation.calibration.certification.measured_rates import find_flagged, select_negatives
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.evaluation.calibration.certification.threshold_paths import HIGHEST, LOWEST
from safety_core.evaluation.calibration.scores.score_table import ScoreTable, compute_risks
from safety_core.evaluation.calibration.threshold_search import NEVER
from safety_core.evaluation.statistics.estimates import FloatArray
from safety_core.evaluation.statistics.risk_bounds import compute_excess_p_value
from safety_core.policy.guarantee import Guarantee, GuaranteeMethod, RateName
from safety_core.policy.policy import Action, NoveltyRule, Policy
from safety_core.policy.presets import PresetName
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.simulated_scores import Simulation

BASE = Policy.create_default(DEFAULT_TAXONOMY)
TWO_REFUSED = replace(BASE, actions={name: {**levels, 2: Action.REFUSE} for name, levels in BASE.actions.items()})
RATES: tuple[RateName, ...] = ("false_refusals", "false_cautions")

RUNS = 40
"""Simulated data sets of each test."""

UNLIKELY = 0.001
"""A count of violations with a smaller p-value contradicts the guarantee."""

TRUTH = 16_000
"""Samples from which the true rate of thresholds is known within a fraction of a percent."""


def measure_true_rates(
    simulation: Simulation, tables: list[ScoreTable], base: Policy, promise: Promise
) -> dict[RateName, FloatArray]:
    """Choose thresholds on each table; return their true rates, 0 where nothing could be promised."""
    truth = simulation.draw(TRUTH // simulation.group_size, seed=10_000)
    rates: dict[RateName, list[float]] = {rate: [] for rate in RATES}
    for number, table in enumerate(tables):
        certified = certify_thresholds(table, base, replace(promise, seed=number), details=False)
        risks = compute_risks(truth, certified.scores, base)
        for rate in RATES:
            negatives = select_negatives(truth, rate)
            rates[rate].append(float(find_flagged(risks, certified.policy, rate)[negatives].mean()))
    return {rate: np.array(values) for rate, values in rates.items()}


def count_violations(rates: dict[RateName, FloatArray], promise: Promise) -> int:
    exceeded = [rates[rate] > promise.get_alpha(rate) for rate in RATES]
    return int(np.any(exceeded, axis=0).sum())


@pytest.mark.parametrize(
    ("simulation", "base"),
    [
        pytest.param(Simulation(sharpness=2.0), BASE, id="plain"),
        pytest.param(Simulation(type_shift=0.6, views=2), TWO_REFUSED, id="several thresholds"),
        pytest.param(Simulation(decimals=0), TWO_REFUSED, id="ties"),
        pytest.param(Simulation(group_size=4), BASE, id="groups"),
    ],
)
def test_the_promise_is_kept(simulation: Simulation, base: Policy) -> None:
    promise = Promise(alpha=0.05, delta=0.2)
    tables = [simulation.draw(900, seed=number) for number in range(RUNS)]
    rates = measure_true_rates(simulation, tables, base, promise)
    violations = count_violations(rates, promise)
    assert compute_excess_p_value(violations, RUNS, promise.delta) > UNLIKELY, violations
    assert rates["false_refusals"].mean() > 0.01, "the thresholds use a good part of what they may"


def test_means_of_groups_keep_the_promise_as_well() -> None:
    simulation, promise = Simulation(group_size=3), Promise(alpha=0.05, delta=0.2, per_group="mean")
    tables = [simulation.draw(900, seed=number) for number in range(RUNS)]
    violations = count_violations(measure_true_rates(simulation, tables, BASE, promise), promise)
    assert compute_excess_p_value(violations, RUNS, promise.delta) > UNLIKELY


def test_near_duplicates_that_count_as_independent_break_the_promise() -> None:
    simulation, promise = Simulation(group_size=12), Promise(alpha=0.05, delta=0.2)
    tables = [simulation.draw(80, seed=number) for number in range(RUNS)]
    apart = [replace(table, group_P=np.arange(len(table))) for table in tables]
    wrong = count_violations(measure_true_rates(simulation, apart, BASE, promise), promise)
    assert compute_excess_p_value(wrong, RUNS, promise.delta) < UNLIKELY, "this test could fail"
    # Split into groups as they are, there are too few to promise anything.
    right = count_violations(measure_true_rates(simulation, tables, BASE, promise), promise)
    assert compute_excess_p_value(right, RUNS, promise.delta) > UNLIKELY


def test_on_average_the_rate_is_within_its_limit() -> None:
    simulation = Simulation()
    promise = Promise(alpha=0.05, method=GuaranteeMethod.RISK_CONTROL)
    tables = [simulation.draw(400, seed=number) for number in range(RUNS)]
    rates = measure_true_rates(simulation, tables, BASE, promise)
    for rate in RATES:
        error = float(rates[rate].std(ddof=1)) / RUNS**0.5
        assert rates[rate].mean() <= promise.alpha + 3 * error
        assert rates[rate].mean() > 0.02
    assert count_violations(rates, promise) > 0.2 * RUNS, "on average only"


def test_thresholds_lie_where_people_can_reason_about_them() -> None:
    simulation = Simulation(sharpness=6.0, type_shift=0.5)
    certified = certify_thresholds(simulation.draw(2000, seed=0), TWO_REFUSED, Promise(alpha=0.02))
    thresholds = [value for levels in certified.policy.thresholds.values() for value in levels.values()]
    assert all(LOWEST <= value <= HIGHEST and round(value, 3) == value for value in thresholds)
    assert certified.policy.actions == TWO_REFUSED.actions
    assert certified.abstained == ()
    assert certified.scores.level_temperature > 1.5
    assert certified.after.risk < certified.before.risk


def test_thresholds_do_not_depend_on_the_scale_of_the_scores() -> None:
    """A head that is twice as sure gets twice the temperature, and the same decisions."""
    plain, sharp = (Simulation(sharpness=factor).draw(1500, seed=4) for factor in (1.0, 2.0))
    refused = []
    for table in (plain, sharp):
        certified = certify_thresholds(table, BASE, Promise(alpha=0.05))
        risks = compute_risks(table, certified.scores, BASE)
        refused.append(find_flagged(risks, certified.policy, "false_refusals"))
    assert (refused[0] != refused[1]).mean() < 0.01


def test_a_larger_alpha_or_delta_never_flags_less() -> None:
    table = Simulation().draw(1500, seed=5)
    found = [
        certify_thresholds(table, BASE, replace(promise, refusal_exchange=0.0), details=False)
        for promise in (Promise(alpha=0.02), Promise(alpha=0.02, delta=0.3), Promise(alpha=0.1, delta=0.3))
    ]
    # The shape is searched within alpha, so it is kept here.
    shape = np.full((6, 3), 0.5)
    counts = [
        certify_thresholds(table, BASE, promise, shape=shape, scores=found[0].scores, details=False).counts
        for promise in (
            Promise(alpha=0.02, refusal_exchange=0.0),
            Promise(alpha=0.02, delta=0.3, refusal_exchange=0.0),
            Promise(alpha=0.1, delta=0.3, refusal_exchange=0.0),
        )
    ]
    refusals = [one["false_refusals"] for one in counts]
    assert refusals == sorted(refusals)
    assert all(one.guarantee.guarantees[0].upper <= one.guarantee.guarantees[0].alpha for one in found)


@pytest.mark.parametrize("groups", [3, 40])
def test_tiny_samples_abstain_and_say_so(groups: int) -> None:
    table = Simulation().draw(groups, seed=0)
    certified = certify_thresholds(table, BASE, Promise(alpha=0.01))
    assert set(certified.abstained) == set(RATES)
    assert all(set(levels.values()) == {NEVER} for levels in certified.policy.thresholds.values())
    assert certified.counts["false_refusals"] == certified.counts["false_cautions"] == 0
    assert certified.guarantee.presets == {}
    reasons = explain_abstention(certified)
    assert len(reasons) == 2
    assert "299 are needed" in reasons[0]


def test_risk_control_abstains_with_fewer_than_one_in_alpha() -> None:
    promise = Promise(alpha=0.01, method=GuaranteeMethod.RISK_CONTROL)
    certified = certify_thresholds(Simulation().draw(60, seed=0), BASE, promise)
    assert "99 are needed" in explain_abstention(certified)[0]


def test_samples_without_a_verdict_use_up_the_limit() -> None:
    table = Simulation().draw(1500, seed=6)
    unjudged = replace(table, judged_P=np.arange(len(table)) % 10 > 0)
    certified = certify_thresholds(unjudged, BASE, Promise(alpha=0.05))
    assert set(certified.abstained) == set(RATES), "a tenth is refused whatever the thresholds"


def test_refusals_by_novelty_count() -> None:
    table = replace(Simulation().draw(1500, seed=6), novelty_P=np.linspace(0, 1, 1500))
    novel = replace(BASE, novelty=NoveltyRule(threshold=0.8, action=Action.REFUSE))
    assert set(certify_thresholds(table, novel, Promise(alpha=0.05)).abstained) == set(RATES)
    assert certify_thresholds(table, BASE, Promise(alpha=0.05)).abstained == ()


def test_the_guarantee_is_complete_and_survives_its_json_form() -> None:
    table = Simulation().draw(2500, seed=7)
    certified = certify_thresholds(table, BASE, Promise(alpha=0.02), data="d" * 64)
    guarantee = certified.guarantee
    assert (guarantee.data, guarantee.pairs, guarantee.groups, guarantee.delta) == ("d" * 64, 2500, 2500, 0.1)
    assert [one.delta for one in guarantee.guarantees] == [0.05, 0.05]
    assert guarantee.is_for(certified.scores.to_dict())
    assert Guarantee.model_validate(guarantee.to_dict()) == guarantee
    assert certified.searched_P.sum() == 1000
    assert guarantee.guarantees[0].groups == (~certified.searched_P & (table.gold_level_P < 2)).sum()


def test_presets_are_ordered_and_promise_their_own_limits() -> None:
    certified = certify_thresholds(Simulation().draw(4000, seed=8), BASE, Promise(alpha=0.02))
    presets = certified.guarantee.presets
    assert list(presets) == [PresetName.STRICT, PresetName.BALANCED, PresetName.PERMISSIVE]
    assert [preset.guarantees[0].alpha for preset in presets.values()] == [0.05, 0.02, 0.01]
    strict, balanced, permissive = presets.values()
    for name, levels in balanced.thresholds.items():
        for level, value in levels.items():
            assert strict.thresholds[name][level] <= value <= permissive.thresholds[name][level]
            assert certified.policy.thresholds[name][int(level)] == value
    for preset in presets.values():
        assert preset.measured.false_refusals is not None
        assert preset.measured.false_refusals <= preset.guarantees[0].alpha
    assert strict.measured.missed_refusals is not None
    assert permissive.measured.missed_refusals is not None
    assert strict.measured.missed_refusals < permissive.measured.missed_refusals


def test_disabled_types_get_the_highest_threshold_of_their_level() -> None:
    table = Simulation().draw(2000, seed=9)
    some = replace(BASE, enabled=frozenset(DEFAULT_TAXONOMY.risky_types[:3]))
    chosen = certify_thresholds(table, some, Promise(alpha=0.05)).policy.thresholds
    for level in (1, 2, 3):
        highest = max(chosen[name][level] for name in some.enabled)
        assert all(chosen[name][level] == highest for name in chosen if name not in some.enabled)


def test_given_scores_and_shape_all_data_are_tested() -> None:
    table = Simulation().draw(500, seed=1)
    certified = certify_thresholds(
        table, BASE, Promise(alpha=0.05), scores=ScoreCalibration(), shape=np.full((6, 3), 0.5)
    )
    assert not certified.searched_P.any()
    assert certified.guarantee.guarantees[0].groups == (table.gold_level_P < 2).sum()
    assert certified.guarantee.is_for(ScoreCalibration().to_dict())
    assert len({levels[3] for levels in certified.policy.thresholds.values()}) == 1


def test_a_milder_action_at_a_higher_level_cannot_be_certified() -> None:
    actions = {name: {1: Action.REFUSE, 2: Action.CAUTION, 3: Action.REFUSE} for name in BASE.actions}
    with pytest.raises(ConfigError, match="milder action"):
        certify_thresholds(Simulation().draw(50, seed=0), replace(BASE, actions=actions), Promise())
