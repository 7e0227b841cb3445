import numpy as np
import pytest

from safety_core.errors import ConfigError
from safety_core.score_calibration import FloatArray, ScoreCalibration, apply_sigmoid, compute_log_odds

MAPPED = ScoreCalibration(type_temperature=1.4, level_temperature=1.8, risk_slope=0.7, risk_offsets=(0.4, -0.5, -0.5))


def draw(rows: int, columns: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).dirichlet(np.full(columns, 0.2), size=rows)


def test_the_default_changes_no_bit() -> None:
    scores = draw(5, 4)
    assert ScoreCalibration().calibrate_types(scores) is scores
    assert ScoreCalibration().calibrate_levels(scores) is scores
    assert not ScoreCalibration().maps_risk


def test_a_temperature_divides_logits() -> None:
    logits = np.array([[0.3, -1.0, 2.0, 0.1]])
    scores = np.exp(logits) / np.exp(logits).sum()
    expected = np.exp(logits / 2) / np.exp(logits / 2).sum()
    np.testing.assert_allclose(ScoreCalibration(type_temperature=2).calibrate_types(scores), expected)
    np.testing.assert_allclose(ScoreCalibration(level_temperature=2).calibrate_levels(scores), expected)


def test_the_risk_is_mapped_in_log_odds() -> None:
    levels = draw(50, 4)
    mapped = MAPPED.calibrate_levels(levels)
    odds = compute_log_odds(levels, 1.8)
    for level in (1, 2, 3):
        expected = apply_sigmoid(0.7 * odds[:, level - 1] + MAPPED.risk_offsets[level - 1])
        np.testing.assert_allclose(mapped[:, level:].sum(axis=1), expected, atol=1e-12)


def test_probabilities_stay_probabilities() -> None:
    mapped = MAPPED.calibrate_levels(draw(1000, 4))
    assert (mapped >= 0).all()
    np.testing.assert_allclose(mapped.sum(axis=1), 1.0)


def test_no_ranking_changes_and_the_maximum_commutes() -> None:
    levels, types = draw(1000, 4, 1), draw(1000, 7, 2)
    for level in (1, 2, 3):
        # What is mapped is the risk after the temperature.
        before = compute_log_odds(levels, MAPPED.level_temperature)[:, level - 1]
        after = MAPPED.calibrate_levels(levels)[:, level:].sum(axis=1)
        order = np.argsort(before, kind="stable")
        assert (np.diff(after[order]) >= -1e-12).all()
        assert after.argmax() == before.argmax()
    assert (MAPPED.calibrate_types(types).argmax(axis=1) == types.argmax(axis=1)).all()


def test_extreme_probabilities_need_no_warning() -> None:
    levels = np.array([[1.0, 0, 0, 0], [0, 0, 0, 1.0], [1e-45, 1e-30, 1e-10, 1 - 1e-10]])
    mapped = MAPPED.calibrate_levels(levels)
    assert np.isfinite(mapped).all()
    assert mapped[0, 0] > 0.999
    assert mapped[1, 3] > 0.999
    assert MAPPED.calibrate_levels(np.zeros((0, 4))).shape == (0, 4)


def test_nan_stays_nan() -> None:
    levels = np.full((1, 4), np.nan)
    assert np.isnan(MAPPED.calibrate_levels(levels)).any()
    assert np.isnan(MAPPED.calibrate_types(np.full((1, 7), np.nan))).any()


def test_the_json_form_is_read_back() -> None:
    for calibration in (MAPPED, ScoreCalibration(type_temperature=3.0)):
        assert ScoreCalibration.parse(calibration.to_dict(), num_levels=4) == calibration
    assert ScoreCalibration.parse({}, num_levels=4) == ScoreCalibration()


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"type_temperature": 0.0}, "type_temperature"),
        ({"level_temperature": "2"}, "level_temperature"),
        ({"risk_slope": -1.0}, "risk_slope"),
        ({"risk_offsets": [0.0, 0.5, 0.0]}, "risk_offsets"),
        ({"risk_offsets": [0.0]}, "3 numbers"),
        ({"temperature": 1.0}, "temperature"),
    ],
)
def test_malformed_fields_are_named(data: dict[str, object], names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        ScoreCalibration.parse(data, num_levels=4)
