import random
from dataclasses import replace

import numpy as np
import pytest

from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.certification.measured_rates import find_flagged
from safety_core.evaluation.calibration.scores.score_file import tabulate_scores
from safety_core.evaluation.calibration.scores.score_table import (
    check_actions,
    compute_risks,
    find_entries,
    read_thresholds,
    write_thresholds,
)
from safety_core.evaluation.scoring.reply_kinds import Duty
from safety_core.evaluation.statistics.estimates import FloatArray
from safety_core.inputs.conversation import Turn
from safety_core.policy.policy import Action, Decision, NoveltyRule, Policy, decide_worst
from safety_core.score_calibration import ScoreCalibration
from safety_core.scores import Novelty, PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.simulated_scores import Simulation

BASE = Policy.create_default(DEFAULT_TAXONOMY)
CALIBRATION = ScoreCalibration(
    type_temperature=1.3, level_temperature=0.8, risk_slope=1.2, risk_offsets=(0.3, 0.3, -0.2)
)


def draw_scores(rng: np.random.Generator, calibration: ScoreCalibration) -> tuple[RiskScores, RiskScores]:
    """Draw raw scores, and the same recalibrated."""
    types = rng.dirichlet(np.full(7, 0.3))[None].astype(np.float32).astype(np.float64)
    levels = rng.dirichlet(np.full(4, 0.5))[None].astype(np.float32).astype(np.float64)

    def build(own_types: FloatArray, own_levels: FloatArray) -> RiskScores:
        return RiskScores(types=tuple(own_types[0].tolist()), levels=tuple(own_levels[0].tolist()))

    return build(types, levels), build(calibration.calibrate_types(types), calibration.calibrate_levels(levels))


def draw_pairs(
    rng: np.random.Generator, calibration: ScoreCalibration
) -> tuple[tuple[PairScores, ...], tuple[PairScores, ...]]:
    """Draw the scores of one or two text variants with some images, raw and recalibrated."""
    raw: list[PairScores] = []
    mapped: list[PairScores] = []
    images, novelty = int(rng.integers(3)), Novelty(text=float(rng.random()))
    for _ in range(int(rng.integers(1, 3))):
        views = [draw_scores(rng, calibration) for _ in range(2 * images + 4)]
        for place, pairs in ((0, raw), (1, mapped)):
            own = [view[place] for view in views]
            joint, image, text, lettering, *rest = own
            pairs.append(
                PairScores(
                    joint=joint if images else None,
                    per_image=tuple(rest[:images]),
                    image=image if images else None,
                    text=text,
                    lettering=(lettering,) if images else (),
                    text_decides=True,
                    images_alone=tuple(rest[images:]),
                    novelty=novelty,
                )
            )
    return tuple(raw), tuple(mapped)


@pytest.mark.parametrize("seed", range(8))
def test_what_the_table_flags_is_what_the_policy_decides(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = random.Random(seed).sample(DEFAULT_TAXONOMY.risky_types, k=seed % 7)
    thresholds = {name: {level: float(rng.random()) for level in (1, 2, 3)} for name in DEFAULT_TAXONOMY.risky_types}
    actions = {
        name: {1: Action.CAUTION, 2: Action.REFUSE if place % 2 else Action.CAUTION, 3: Action.REFUSE}
        for place, name in enumerate(DEFAULT_TAXONOMY.risky_types)
    }
    novelty = NoveltyRule(threshold=0.9, action=Action.REFUSE if seed % 2 else Action.ALLOW)
    policy = replace(BASE, thresholds=thresholds, actions=actions, enabled=frozenset(names), novelty=novelty)
    drawn = [draw_pairs(rng, CALIBRATION) for _ in range(150)]
    turns = (Turn(role="user", text="x"),)
    samples = [
        Sample(id=str(index), images=(), conversation=turns, label=RiskLabel(type=6, level=0))
        for index in range(len(drawn))
    ]
    table = tabulate_scores(DEFAULT_TAXONOMY, samples, [raw for raw, _ in drawn], np.arange(len(drawn)))
    risks = compute_risks(table, CALIBRATION, policy)
    decided = [
        max((decide_worst(policy, DEFAULT_TAXONOMY, pair)[0] for pair in mapped), key=lambda one: one.severity_key)
        for _, mapped in drawn
    ]
    refused = find_flagged(risks, policy, "false_refusals")
    assert refused.tolist() == [verdict.decision is Decision.REFUSED for verdict in decided]
    flagged = refused | find_flagged(risks, policy, "false_cautions")
    assert flagged.tolist() == [verdict.flagged for verdict in decided]


def test_a_selection_is_the_table_of_the_selected_samples() -> None:
    table = Simulation(views=3).draw(40, seed=0)
    mask = np.arange(40) % 3 == 1
    chosen = table.select(mask)
    assert len(chosen) == mask.sum()
    assert chosen.groups == mask.sum()
    whole, part = (compute_risks(one, ScoreCalibration(), BASE) for one in (table, chosen))
    for level in range(3):
        values = table.reduce_to_samples(whole.risk_VK[:, level], empty=0.0)[mask]
        assert chosen.reduce_to_samples(part.risk_VK[:, level], empty=0.0).tolist() == values.tolist()
    assert chosen.levels_VL[chosen.label_view_P].tolist() == table.levels_VL[table.label_view_P[mask]].tolist()
    assert chosen.source_P == tuple(np.array(table.source_P)[mask])
    assert len(table.select(np.zeros(40, dtype=np.bool_))) == 0


def test_duties_select_by_level() -> None:
    table = Simulation().draw(200, seed=1)
    assert (table.select_duties(Duty.REFUSE) == (table.gold_level_P == 3)).all()
    assert (table.select_duties(Duty.ANSWER, Duty.CARE) == (table.gold_level_P < 2)).all()


def test_thresholds_survive_their_form_as_an_array() -> None:
    policy = replace(BASE, thresholds={name: {1: 0.1, 2: 0.2, 3: 0.3} for name in BASE.thresholds})
    assert write_thresholds(read_thresholds(policy, DEFAULT_TAXONOMY), DEFAULT_TAXONOMY) == policy.thresholds


def test_entries_are_those_of_enabled_types() -> None:
    policy = replace(BASE, enabled=frozenset({"privacy"}))
    entries = find_entries(policy, DEFAULT_TAXONOMY, Action.CAUTION)
    assert np.argwhere(entries).tolist() == [[4, 0], [4, 1]]


def test_a_milder_action_at_a_higher_level_is_refused() -> None:
    actions = {**BASE.actions, "privacy": {1: Action.REFUSE, 2: Action.CAUTION, 3: Action.REFUSE}}
    with pytest.raises(ConfigError, match="privacy: a higher level"):
        check_actions(replace(BASE, actions=actions), DEFAULT_TAXONOMY)
    check_actions(replace(BASE, actions=actions, enabled=frozenset({"illegal"})), DEFAULT_TAXONOMY)


def test_without_enabled_types_nothing_is_reached() -> None:
    table = Simulation().draw(20, seed=0)
    risks = compute_risks(table, ScoreCalibration(), replace(BASE, enabled=frozenset()))
    assert not risks.reach(np.zeros((6, 3))).any()
