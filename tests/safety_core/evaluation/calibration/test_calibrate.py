import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import RiskLabel, Sample
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.budget_search import CalibrationGoal
from safety_core.evaluation.calibration.calibrate import (
    calibrate_checkpoint,
    calibrate_scores,
    certify_checkpoint,
    load_or_compute_scores,
)
from safety_core.evaluation.calibration.certification.measured_rates import find_flagged
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.evaluation.calibration.scores.score_table import compute_risks
from safety_core.evaluation.scoring.guard_scores import VariantScores, apply_policy, encode_chunks, score_chunk
from safety_core.evaluation.suites.suite import Suite
from safety_core.inputs.conversation import Turn
from safety_core.model.checkpoint.checkpoint import POLICY_FILE, load_checkpoint, verify
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Action, Decision, Policy
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY

TURNS = (Turn(role="user", text="hello"),)
BASE = Policy.create_default(DEFAULT_TAXONOMY)
Split = tuple[list[Sample], list[VariantScores]]


def split(entries: list[tuple[int, str, tuple[float, float, float]]]) -> Split:
    """Samples and scores from (gold level, the head's type, (s_1, s_2, s_3))."""
    samples, readings = [], []
    for index, (level, name, beliefs) in enumerate(entries):
        kind = DEFAULT_TAXONOMY.types.index(name)
        types = tuple(0.94 if place == kind else 0.01 for place in range(7))
        one, two, three = beliefs
        scores = RiskScores(types=types, levels=(1 - one, one - two, two - three, three))
        label = RiskLabel(type=kind if level else DEFAULT_TAXONOMY.safe_index, level=level)
        samples.append(Sample(id=str(index), images=(), conversation=TURNS, label=label))
        pair = PairScores(joint=None, per_image=(), image=None, text=scores)
        readings.append(VariantScores(turns=(TURNS,), pairs=(pair,)))
    return samples, readings


def flat(level: int, name: str, belief: float) -> tuple[int, str, tuple[float, float, float]]:
    """A pair that the head puts at the worst level with some probability, and at the harmless one otherwise."""
    return level, name, (belief, belief, belief)


def test_separable_scores_are_separated() -> None:
    samples, readings = split([flat(0, "illegal", 0.9)] * 20 + [flat(3, "illegal", 0.97)] * 5)
    result = calibrate_scores(DEFAULT_TAXONOMY, BASE, samples, readings)
    assert (result.false_refusals, result.missed_refusals) == (0, 0)
    assert 0.9 < result.policy.thresholds["illegal"][3] < 0.97
    assert result.policy.thresholds["privacy"] == BASE.thresholds["privacy"], "a type without data keeps its own"
    assert result.policy.actions == BASE.actions


def test_false_refusals_stay_within_their_share_and_go_where_they_avoid_most() -> None:
    entries = [flat(0, "privacy", 0.01)] * 190
    # One false refusal saves three misses of type illegal, but only one of type politics: the budget is one.
    entries += [flat(0, "illegal", 0.6), *[flat(3, "illegal", 0.5)] * 3, flat(3, "illegal", 0.9)]
    entries += [flat(0, "politics", 0.6), flat(3, "politics", 0.5), flat(3, "politics", 0.9)]
    samples, readings = split(entries)
    result = calibrate_scores(DEFAULT_TAXONOMY, BASE, samples, readings, goal=CalibrationGoal(refusal_exchange=0))
    assert (result.answerable, result.false_refusals, result.missed_refusals) == (192, 1, 1)
    assert result.policy.thresholds["illegal"][3] < 0.5
    assert result.policy.thresholds["politics"][3] > 0.6


def test_the_exchange_keeps_an_outlier_from_spending_the_budget() -> None:
    entries = [flat(0, "illegal", belief / 1000) for belief in range(1, 1001, 2)] + [flat(3, "illegal", 0.9965)]
    samples, readings = split(entries)
    chased = calibrate_scores(DEFAULT_TAXONOMY, BASE, samples, readings, goal=CalibrationGoal(refusal_exchange=0))
    frugal = calibrate_scores(DEFAULT_TAXONOMY, BASE, samples, readings, goal=CalibrationGoal(refusal_exchange=2))
    assert (chased.false_refusals, chased.missed_refusals) == (2, 0)
    assert (frugal.false_refusals, frugal.missed_refusals) == (0, 1)


def test_all_types_can_have_the_same_thresholds() -> None:
    entries = [flat(0, "illegal", 0.7)] * 20 + [flat(3, "illegal", 0.9)] * 5 + [flat(3, "privacy", 0.8)]
    samples, readings = split(entries)
    policy = calibrate_scores(DEFAULT_TAXONOMY, BASE, samples, readings, goal=CalibrationGoal(by_type=False)).policy
    assert len({levels[3] for levels in policy.thresholds.values()}) == 1
    assert 0.7 < policy.thresholds["fairness"][3] < 0.8, "types without data get what the others determine"


def test_a_level_that_may_be_refused_counts_as_neither() -> None:
    samples, readings = split(
        [flat(0, "illegal", 0.1)] * 10 + [flat(2, "illegal", 0.8)] * 10 + [flat(3, "illegal", 0.7)]
    )
    result = calibrate_scores(DEFAULT_TAXONOMY, BASE, samples, readings)
    assert (result.missed_refusals, result.false_refusals) == (0, 0)
    assert result.policy.thresholds["illegal"][3] < 0.7


def test_lower_levels_are_calibrated_on_what_the_higher_ones_leave() -> None:
    entries = [(0, "illegal", (0.3, 0.05, 0.01))] * 20 + [(1, "illegal", (0.6, 0.1, 0.01))] * 20
    entries += [(2, "illegal", (0.9, 0.3, 0.02))] * 20 + [(3, "illegal", (0.95, 0.9, 0.2))] * 20
    samples, readings = split(entries)
    result = calibrate_scores(DEFAULT_TAXONOMY, BASE, samples, readings)
    chosen = result.policy.thresholds["illegal"]
    assert 0.02 < chosen[3] < 0.2
    assert 0.1 < chosen[2] < 0.3
    assert 0.3 < chosen[1] < 0.6
    assert (result.false_refusals, result.missed_refusals, result.false_cautions) == (0, 0, 0)


def test_a_stricter_action_makes_false_alarms_of_what_deserves_an_answer() -> None:
    actions = {name: {**levels, 2: Action.REFUSE} for name, levels in BASE.actions.items()}
    entries = [(1, "illegal", (0.9, 0.5, 0.0))] * 20 + [(2, "illegal", (0.9, 0.8, 0.0))] * 20
    samples, readings = split([*entries, flat(3, "illegal", 0.99)])
    result = calibrate_scores(DEFAULT_TAXONOMY, replace(BASE, actions=actions), samples, readings)
    assert 0.5 < result.policy.thresholds["illegal"][2] < 0.8
    assert result.false_refusals == 0


def test_all_refused_levels_share_one_budget() -> None:
    """At either level, two false refusals would save three misses each; together they may be two in a hundred."""
    actions = {name: {**levels, 2: Action.REFUSE} for name, levels in BASE.actions.items()}
    entries = [(0, "illegal", (0.6, 0.6, 0.6))] + [(3, "illegal", (0.9, 0.9, 0.5))] * 3
    entries += [(0, "illegal", (0.6, 0.6, 0.4))] + [(3, "illegal", (0.9, 0.9, 0.3))] * 3
    entries += [(0, "illegal", (0.7, 0.7, 0.1))] + [(2, "illegal", (0.9, 0.65, 0.1))] * 3
    entries += [(0, "illegal", (0.6, 0.6, 0.1))] + [(2, "illegal", (0.9, 0.5, 0.1))] * 3
    samples, readings = split([*entries, *[flat(0, "illegal", 0.01)] * 96])
    goal = CalibrationGoal(false_refusals=0.02, refusal_exchange=0)
    result = calibrate_scores(DEFAULT_TAXONOMY, replace(BASE, actions=actions), samples, readings, goal=goal)
    assert (result.answerable, result.false_refusals) == (100, 2)
    chosen = result.policy.thresholds["illegal"]
    assert 0.4 < chosen[3] < 0.5, "the worst level gets half of the budget"
    assert 0.6 < chosen[2] < 0.65, "the other level gets the rest"


def test_scores_without_a_verdict_move_no_threshold_and_count_as_refused() -> None:
    samples, readings = split([flat(0, "illegal", 0.1), flat(3, "illegal", 0.9), flat(0, "illegal", float("nan"))])
    result = calibrate_scores(DEFAULT_TAXONOMY, BASE, samples, readings)
    assert 0.1 < result.policy.thresholds["illegal"][3] < 0.9
    assert result.false_refusals == 1


@pytest.mark.parametrize("level", [0, 3])
def test_a_split_with_one_side_only_is_refused(level: int) -> None:
    samples, readings = split([flat(level, "illegal", 0.5)])
    with pytest.raises(ConfigError, match="worst level and samples that deserve"):
        calibrate_scores(DEFAULT_TAXONOMY, BASE, samples, readings)


def test_a_checkpoint_is_calibrated_with_its_manifest(
    tiny_checkpoint: Path, varied_suite: Suite, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(tiny_checkpoint, checkpoint)
    data = varied_suite.path / varied_suite.spec.pairs_file
    dry = calibrate_checkpoint(checkpoint, data, write=False)
    assert load_policy(checkpoint / POLICY_FILE, DEFAULT_TAXONOMY) == BASE
    result = calibrate_checkpoint(checkpoint, data)
    assert result == dry
    assert result.policy != BASE
    assert verify(checkpoint).policy == result.policy
    assert result.false_refusals <= 0.01 * result.answerable
    assert result.counts["pairs"] == 24


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))


WIDE = Promise(alpha=0.9, delta=0.6)
"""Limits that hold with a handful of pairs."""


def test_a_checkpoint_is_certified_with_its_scores(checkpoint: Path, varied_suite: Suite, tmp_path: Path) -> None:
    data, scores = varied_suite.path / varied_suite.spec.pairs_file, tmp_path / "scores.jsonl"
    certified = certify_checkpoint(checkpoint, data, WIDE, scores=scores)
    report = verify(checkpoint)
    assert (report.policy, report.guarantee) == (certified.policy, certified.guarantee)
    assert report.spec.score_calibration == certified.scores == load_checkpoint(checkpoint).score_calibration
    assert certified.guarantee.pairs == 24
    assert certified.guarantee.groups < 24, "pairs of one picture form a group"
    # The file holds raw scores, so a calibrated checkpoint finds its scores again, and the same thresholds.
    written = scores.read_bytes()
    again = certify_checkpoint(checkpoint, data, WIDE, scores=scores)
    assert again.guarantee == certified.guarantee
    assert scores.read_bytes() == written
    computed, stored = load_or_compute_scores(checkpoint, data), load_or_compute_scores(checkpoint, data, scores=scores)
    np.testing.assert_allclose(computed.table.levels_VL, stored.table.levels_VL, rtol=1e-4)


def test_served_scores_are_those_that_were_calibrated(checkpoint: Path, varied_suite: Suite) -> None:
    data = varied_suite.path / varied_suite.spec.pairs_file
    table = load_or_compute_scores(checkpoint, data).table
    certified = certify_checkpoint(checkpoint, data, WIDE)
    model = load_checkpoint(checkpoint)
    samples = read_jsonl(data, model.taxonomy).samples
    refused = find_flagged(compute_risks(table, certified.scores, certified.policy), certified.policy, "false_refusals")
    guard = Guard(model, certified.policy, limits=GuardLimits(max_batch=64))
    chunks = encode_chunks(model, samples, 512)
    decided = [
        apply_policy(certified.policy, model.taxonomy, entry)
        for chunk in chunks
        for entry in score_chunk(guard, chunk, 64)
    ]
    assert [entry is None or entry.verdict.decision is Decision.REFUSED for entry in decided] == refused.tolist()


def test_scores_of_another_checkpoint_or_of_other_data_are_refused(
    checkpoint: Path, varied_suite: Suite, tmp_path: Path
) -> None:
    data, scores = varied_suite.path / varied_suite.spec.pairs_file, tmp_path / "scores.jsonl"
    load_or_compute_scores(checkpoint, data, scores=scores)
    other = tmp_path / "other.jsonl"
    lines = data.read_text().splitlines(keepends=True)
    other.write_text("".join(line for line in lines if '"image": null' in line))
    with pytest.raises(ConfigError, match="other data"):
        load_or_compute_scores(checkpoint, other, scores=scores)


def test_nothing_is_written_that_would_switch_the_guard_off(checkpoint: Path, varied_suite: Suite) -> None:
    data, before = varied_suite.path / varied_suite.spec.pairs_file, verify(checkpoint)
    with pytest.raises(ConfigError, match="the guard would react to nothing"):
        certify_checkpoint(checkpoint, data, Promise())
    assert verify(checkpoint) == before
    assert certify_checkpoint(checkpoint, data, Promise(), write=False).abstained
