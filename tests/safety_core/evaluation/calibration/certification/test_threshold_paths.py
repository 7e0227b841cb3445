from dataclasses import replace

import numpy as np
import pytest

from safety_core.evaluation.calibration.certification.threshold_paths import HIGHEST, LOWEST, build_path
from safety_core.evaluation.calibration.scores.score_table import compute_risks
from safety_core.evaluation.calibration.threshold_search import NEVER
from safety_core.policy.policy import Policy
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.simulated_scores import Simulation

BASE = Policy.create_default(DEFAULT_TAXONOMY)
SHAPE = np.random.default_rng(0).uniform(0.001, 0.999, size=(6, 3))
WORST = np.tile(np.array([False, False, True]), (6, 1))


def test_a_path_falls_from_out_of_reach_through_all_bounds() -> None:
    path = build_path(SHAPE, WORST)
    thresholds = path.thresholds_JRK[:, WORST]
    assert (thresholds[0] == NEVER).all()
    assert (thresholds[1] == HIGHEST).all()
    assert (thresholds[-1] == LOWEST).all()
    assert (np.diff(thresholds, axis=0) <= 0).all()
    assert (np.diff(path.shift_J) > 0).all()
    assert np.isinf(path.thresholds_JRK[:, ~WORST]).all()
    assert len(path) < 150


def test_thresholds_are_numbers_that_people_write() -> None:
    thresholds = build_path(SHAPE, WORST).thresholds_JRK[1:, WORST]
    assert ((thresholds >= LOWEST) & (thresholds <= HIGHEST)).all()
    assert (np.round(thresholds, 3) == thresholds).all()


def test_the_path_leads_through_its_shape() -> None:
    shape = np.full((6, 3), 0.5)
    shape[2, 2] = 0.8
    path = build_path(shape, WORST)
    at_shape = path.thresholds_JRK[int(np.abs(path.shift_J).argmin())]
    assert at_shape[:, 2] == pytest.approx(shape[:, 2], abs=0.02)


@pytest.mark.parametrize("decimals", [None, 0])
def test_the_first_step_is_the_first_that_flags(decimals: int | None) -> None:
    table = Simulation(views=3, decimals=decimals).draw(150, seed=1)
    risks = compute_risks(table, ScoreCalibration(), BASE)
    entries = WORST.copy()
    entries[:3, 1] = True
    path = build_path(SHAPE, entries)
    first = path.find_first_steps(risks)
    flagged = np.array([risks.reach(path.thresholds_JRK[step]) for step in range(len(path))])
    expected = np.where(flagged.any(axis=0), flagged.argmax(axis=0), len(path))
    assert first.tolist() == expected.tolist()
    assert (np.diff(flagged.astype(int), axis=0) >= 0).all(), "each step flags what the step before flags"


def test_disabled_types_flag_nothing() -> None:
    table = Simulation().draw(50, seed=2)
    risks = compute_risks(table, ScoreCalibration(), replace(BASE, enabled=frozenset()))
    path = build_path(SHAPE, WORST)
    assert (path.find_first_steps(risks) == len(path)).all()
