from dataclasses import replace

import numpy as np
import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.scores.score_fitting import (
    MAX_FACTOR,
    MIN_FACTOR,
    fit_scores,
    measure_log_losses,
)
from safety_core.evaluation.calibration.scores.score_table import ScoreTable
from safety_core.evaluation.statistics.estimates import FloatArray, IntArray
from safety_core.score_calibration import ScoreCalibration, compute_log_odds
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.simulated_scores import Simulation


def draw_table(temperature: float, samples: int = 4000, seed: int = 0) -> ScoreTable:
    """Samples whose labels follow the softmax of logits, while the scores are those of logits times a temperature."""
    rng = np.random.default_rng(seed)

    def draw(classes: int) -> tuple[FloatArray, IntArray]:
        logits = rng.normal(0, 1.5, size=(samples, classes))
        true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        gold = (true.cumsum(axis=1) > rng.random((samples, 1))).argmax(axis=1)
        sharp = np.exp(logits * temperature)
        return sharp / sharp.sum(axis=1, keepdims=True), gold

    (types, gold_types), (levels, gold_levels) = draw(7), draw(4)
    return ScoreTable(
        types_VC=types,
        levels_VL=levels,
        sample_V=np.arange(samples),
        label_view_P=np.arange(samples),
        gold_type_P=gold_types,
        gold_level_P=gold_levels,
        group_P=np.arange(samples),
        source_P=("",) * samples,
        novelty_P=np.zeros(samples),
        judged_P=np.ones(samples, dtype=np.bool_),
        taxonomy=DEFAULT_TAXONOMY,
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_the_scores_is_found(temperature: float) -> None:
    fitted = fit_scores(draw_table(temperature))
    assert fitted.type_temperature == pytest.approx(temperature, rel=0.06)
    assert fitted.level_temperature == pytest.approx(temperature, rel=0.06)
    assert fitted.risk_slope == pytest.approx(1.0, abs=0.1)
    assert max(map(abs, fitted.risk_offsets)) < 0.15


def test_a_fit_is_deterministic_and_lowers_the_loss_on_other_samples() -> None:
    fitted, other = fit_scores(draw_table(2.0)), draw_table(2.0, seed=1)
    assert fit_scores(draw_table(2.0)) == fitted
    before, after = measure_log_losses(other, ScoreCalibration()), measure_log_losses(other, fitted)
    assert after.types < before.types - 0.05
    assert after.risk < before.risk - 0.05


def test_risks_mean_what_they_say_although_the_worst_view_decides() -> None:
    table = Simulation(views=4, sharpness=2.5).draw(8000, seed=0)
    fitted, other = fit_scores(table), Simulation(views=4, sharpness=2.5).draw(8000, seed=1)

    def measure_error(calibration: ScoreCalibration, level: int) -> float:
        risk_V = calibration.calibrate_levels(other.levels_VL)[:, level:].sum(axis=1)
        risk_P = other.reduce_to_samples(risk_V, empty=0.0)
        gap_P, bin_P = risk_P - (other.gold_level_P >= level), np.minimum(risk_P * 10, 9).astype(int)
        return float(np.abs(np.bincount(bin_P, weights=gap_P)).sum() / len(risk_P))

    before, after = (
        [measure_error(calibration, level) for level in (1, 2, 3)] for calibration in (ScoreCalibration(), fitted)
    )
    assert max(after) < 0.08, "the distribution is not quite logistic"
    assert sum(after) < 0.6 * sum(before)


def test_offsets_never_increase_with_the_level() -> None:
    for seed in range(5):
        table = draw_table(1.0, samples=200, seed=seed)
        # Levels that contradict the scores pull the offsets apart.
        table = replace(table, gold_level_P=np.where(table.gold_level_P == 1, 3, table.gold_level_P))
        offsets = fit_scores(table).risk_offsets
        assert list(offsets) == sorted(offsets, reverse=True)


def test_separable_samples_do_not_lead_to_infinite_numbers() -> None:
    table = Simulation(means=(-30.0, -20.0, 20.0, 30.0), spread=0.1).draw(200, seed=0)
    fitted = fit_scores(table)
    for factor in (fitted.type_temperature, fitted.level_temperature, fitted.risk_slope):
        assert MIN_FACTOR <= round(factor, 3) <= MAX_FACTOR
    assert np.isfinite(fitted.risk_offsets).all()


def test_samples_of_one_level_only_can_be_fitted() -> None:
    table = Simulation(shares=(1.0, 0.0, 0.0, 0.0)).draw(50, seed=0)
    assert np.isfinite(fit_scores(table).risk_offsets).all()


def test_without_scores_there_is_nothing_to_fit() -> None:
    table = Simulation().draw(5, seed=0)
    unjudged = replace(table, label_view_P=np.full(5, -1))
    with pytest.raises(ConfigError, match="no sample has scores"):
        fit_scores(unjudged)
    assert np.isnan(measure_log_losses(unjudged, ScoreCalibration()).types)


def test_log_odds_are_exact_near_certainty() -> None:
    assert compute_log_odds(np.array([[1e-20, 0.0, 0.0, 1.0]]))[0].tolist() == pytest.approx([46.05] * 3, abs=0.01)
