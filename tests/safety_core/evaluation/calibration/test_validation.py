from dataclasses import replace

import numpy as np
import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.evaluation.calibration.validation import SplitRates, Validation, measure_shift, validate_splits
from safety_core.evaluation.statistics.risk_bounds import compute_excess_p_value
from safety_core.policy.guarantee import GuaranteeMethod
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.simulated_scores import Simulation

BASE = Policy.create_default(DEFAULT_TAXONOMY)
PROMISE = Promise(alpha=0.05, delta=0.2)
TABLE = Simulation(group_size=2).draw(1200, seed=0)


def test_the_promise_is_kept_on_splits_of_one_data_set() -> None:
    seen: list[tuple[int, int]] = []
    found = validate_splits(TABLE, BASE, PROMISE, splits=30, progress=lambda *numbers: seen.append(numbers))
    assert found.kept
    assert seen[-1] == (30, 30)
    assert [rate.rate for rate in found.rates] == ["false_refusals", "false_cautions"]
    for rate in found.rates:
        assert rate.violations <= found.violations <= 30
        assert rate.held_out_violations <= found.held_out_violations
        assert 0.01 < rate.low < rate.held_out_mean < rate.high < 0.05


def test_splits_depend_on_the_seed_only() -> None:
    first, same, other = (validate_splits(TABLE, BASE, PROMISE, splits=5, seed=seed) for seed in (3, 3, 4))
    assert first == same
    assert first != other


def test_a_promise_that_is_broken_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that lets too many steps pass."""
    monkeypatch.setattr(
        "safety_core.evaluation.calibration.certification.rate_tests.count_rejections",
        lambda p_values, delta: int((p_values < 0.9).sum()),
    )
    found = validate_splits(TABLE, BASE, PROMISE, splits=30)
    assert not found.kept
    assert found.violations > 15


@pytest.mark.parametrize(("violations", "kept"), [(10, True), (15, True), (16, False)])
def test_the_verdict_is_that_of_a_binomial_test(violations: int, kept: bool) -> None:
    found = Validation(
        promise=Promise(delta=0.1),
        rates=(),
        splits=100,
        violations=violations,
        p_value=compute_excess_p_value(violations, 100, 0.1),
        held_out_violations=50,
        held_out_p_value=0.0,
    )
    assert found.kept is kept


@pytest.mark.parametrize(("low", "kept"), [(0.049, True), (0.051, False)])
def test_risk_control_is_judged_by_its_mean(low: float, kept: bool) -> None:
    rate = SplitRates(
        rate="false_refusals",
        alpha=0.05,
        splits=10,
        abstained=0,
        violations=9,
        p_value=0.0,
        held_out_violations=9,
        held_out_mean=low + 0.01,
        low=low,
        high=low + 0.02,
    )
    promise = Promise(alpha=0.05, method=GuaranteeMethod.RISK_CONTROL)
    found = Validation(
        promise=promise, rates=(rate,), splits=10, violations=9, p_value=0.0, held_out_violations=9, held_out_p_value=0
    )
    assert found.kept is kept


def test_risk_control_holds_on_average() -> None:
    promise = Promise(alpha=0.05, method=GuaranteeMethod.RISK_CONTROL)
    found = validate_splits(TABLE, BASE, promise, splits=30)
    assert found.kept
    assert all(0.02 < rate.held_out_mean < 0.06 for rate in found.rates)


def test_too_little_data_abstain_in_every_split() -> None:
    found = validate_splits(Simulation().draw(80, seed=0), BASE, Promise(), splits=4)
    assert all(rate.abstained == 4 and rate.violations == 0 for rate in found.rates)
    assert found.kept


def test_data_sets_are_left_out_in_turn() -> None:
    table = Simulation().draw(1500, seed=2)
    shifted = Simulation(means=(-1.0, 0.0, 0.5, 1.5)).draw(400, seed=3)
    sources = ("easy/one",) * 750 + ("plain+easy",) * 750 + ("hard",) * 400 + ("rare",) * 5
    rare = table.select(np.arange(1500) < 5)
    parts = (table, shifted, rare)
    joined = replace(
        table,
        types_VC=np.concatenate([part.types_VC for part in parts]),
        levels_VL=np.concatenate([part.levels_VL for part in parts]),
        gold_type_P=np.concatenate([part.gold_type_P for part in parts]),
        gold_level_P=np.concatenate([part.gold_level_P for part in parts]),
        novelty_P=np.concatenate([part.novelty_P for part in parts]),
        judged_P=np.concatenate([part.judged_P for part in parts]),
        sample_V=np.arange(1905),
        label_view_P=np.arange(1905),
        group_P=np.arange(1905),
        source_P=sources,
    )
    found = measure_shift(joined, BASE, PROMISE)
    assert {rate.source for rate in found} == {"easy", "plain", "hard"}, "too few groups say nothing"
    rates = {(rate.source, rate.rate): rate for rate in found}
    hard = rates["hard", "false_refusals"]
    assert hard.low > hard.alpha, "the guarantee does not cover other requests"
    for source in ("easy", "plain"):
        rate = rates[source, "false_refusals"]
        assert rate.low <= rate.value <= rate.high
        assert rate.value < hard.value
        assert rate.groups > 400


def test_one_data_set_cannot_be_left_out() -> None:
    table = replace(TABLE, source_P=("one",) * len(TABLE))
    with pytest.raises(ConfigError, match="two data sets"):
        measure_shift(table, BASE, PROMISE)
