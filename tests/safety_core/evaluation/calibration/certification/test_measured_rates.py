from dataclasses import replace

import numpy as np

from safety_core.evaluation.calibration.certification.measured_rates import (
    count_decisions,
    find_flagged,
    measure_rates,
    select_negatives,
)
from safety_core.evaluation.calibration.scores.score_table import compute_risks
from safety_core.policy.policy import Policy
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.simulated_scores import Simulation

BASE = Policy.create_default(DEFAULT_TAXONOMY)
TABLE = Simulation(group_size=2).draw(300, seed=0)
RISKS = compute_risks(TABLE, ScoreCalibration(), BASE)
EVERYONE = np.ones(len(TABLE), dtype=np.bool_)


def test_counts_are_those_of_the_masks() -> None:
    counts, refused = count_decisions(RISKS, BASE), find_flagged(RISKS, BASE, "false_refusals")
    answerable = TABLE.gold_level_P < 2
    assert counts["pairs"] == 600
    assert counts["answerable"] == answerable.sum() == select_negatives(TABLE, "false_refusals").sum()
    assert counts["false_refusals"] == (answerable & refused).sum() > 0
    assert counts["refusable"] == (TABLE.gold_level_P == 3).sum()
    assert counts["missed_refusals"] == ((TABLE.gold_level_P == 3) & ~refused).sum() > 0
    assert counts["harmless"] == (TABLE.gold_level_P == 0).sum()


def test_rates_are_measured_once_per_group() -> None:
    rates, counts = measure_rates(RISKS, BASE, EVERYONE, seed=0), count_decisions(RISKS, BASE)
    # Members of a group are equal here, so one of them stands for both.
    assert rates.false_refusals == round(counts["false_refusals"] / counts["answerable"], 6)
    assert rates.missed_refusals == round(counts["missed_refusals"] / counts["refusable"], 6)
    assert rates.false_cautions == round(counts["false_cautions"] / counts["harmless"], 6)


def test_a_part_without_samples_of_a_kind_has_no_rate() -> None:
    rates = measure_rates(RISKS, BASE, TABLE.gold_level_P == 0, seed=0)
    assert rates.missed_refusals is None
    assert rates.false_refusals is not None


def test_samples_without_a_verdict_count_as_refused() -> None:
    unjudged = replace(TABLE, judged_P=np.arange(len(TABLE)) >= 10)
    risks = compute_risks(unjudged, ScoreCalibration(), BASE)
    assert find_flagged(risks, BASE, "false_refusals")[:10].all()
    assert find_flagged(risks, BASE, "false_cautions")[:10].all()
