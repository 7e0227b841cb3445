"""Fits the recalibration of the scores to labelled samples, by maximum likelihood; deterministic, without torch.

Each temperature minimises the negative log-likelihood of the labels under the view that the label is about. Slope and
offsets then minimise that of "level k or worse" under the largest risk among all views of a sample, which is what
decides: the maximum of several scores is larger than each of them means. Labels are smoothed as Platt (1999) proposed,
so that separable data do not lead to an infinite slope.

Shapes: P samples · C classes · K = L - 1 risky levels · N blocks of levels with the same offset.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.scores.score_table import ScoreTable
from safety_core.evaluation.statistics.estimates import BoolArray, FloatArray, IntArray
from safety_core.score_calibration import ScoreCalibration, apply_sigmoid, compute_log_odds

MIN_FACTOR, MAX_FACTOR = 0.2, 10.0
"""Bounds of temperatures and slope."""

_MAX_OFFSET = 20.0
_SECTIONS = 40
_GOLDEN = (math.sqrt(5) - 1) / 2
_NEWTON_STEPS = 50
_HALVINGS = 30
_CONVERGED = 1e-10
_RIDGE = 1e-9
_SMALLEST = 1e-45


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLosses:
    """Mean negative log-likelihood of the labels."""

    types: float
    """Of the type, under the view that the label is about."""

    risk: float
    """Of "level k or worse" under the sample's largest risk, averaged over k."""


def fit_scores(table: ScoreTable) -> ScoreCalibration:
    """Fit temperatures, slope and offsets.

    Raises:
        ConfigError: no sample has scores.
    """
    labelled_P = table.label_view_P >= 0
    if not labelled_P.any():
        raise ConfigError("calibration: no sample has scores")
    views_P = table.label_view_P[labelled_P]
    type_temperature = _fit_temperature(table.types_VC[views_P], table.gold_type_P[labelled_P])
    level_temperature = _fit_temperature(table.levels_VL[views_P], table.gold_level_P[labelled_P])
    slope, offsets = _fit_risk(*_find_worst_log_odds(table, level_temperature))
    return ScoreCalibration(
        type_temperature=round(type_temperature, 4),
        level_temperature=round(level_temperature, 4),
        risk_slope=round(slope, 4),
        risk_offsets=tuple(round(offset, 4) for offset in offsets),
    )


def measure_log_losses(table: ScoreTable, calibration: ScoreCalibration) -> LogLosses:
    """Measure how well recalibrated scores predict the labels; NaN without any scores."""
    labelled_P = table.label_view_P >= 0
    if not labelled_P.any():
        return LogLosses(types=math.nan, risk=math.nan)
    types_PC = calibration.calibrate_types(table.types_VC[table.label_view_P[labelled_P]])
    chosen_P = types_PC[np.arange(len(types_PC)), table.gold_type_P[labelled_P]]
    risk_PK, gold_P = _find_worst_log_odds(table, calibration.level_temperature)
    risk_PK = calibration.map_risk(risk_PK)
    reached_PK = gold_P[:, None] > np.arange(risk_PK.shape[1])
    likelihood_PK = np.where(reached_PK, risk_PK, 1 - risk_PK)
    return LogLosses(
        types=float(-np.log(np.maximum(chosen_P, _SMALLEST)).mean()),
        risk=float(-np.log(np.maximum(likelihood_PK, _SMALLEST)).mean()),
    )


def _find_worst_log_odds(table: ScoreTable, level_temperature: float) -> tuple[FloatArray, IntArray]:
    """Find the largest log-odds of each level or worse among the views of each sample with scores, and its label."""
    log_odds_VK = compute_log_odds(table.levels_VL, level_temperature)
    worst_PK = np.stack([table.reduce_to_samples(log_odds_V, empty=-np.inf) for log_odds_V in log_odds_VK.T], axis=1)
    scored_P = worst_PK[:, 0] > -np.inf
    return worst_PK[scored_P], table.gold_level_P[scored_P]


def _fit_temperature(probabilities_PC: FloatArray, gold_P: IntArray) -> float:
    """Find the temperature by golden sections of its logarithm: the loss is convex in 1 / T, so it has one minimum."""
    log_PC = np.log(np.maximum(probabilities_PC, _SMALLEST))
    log_PC -= log_PC.max(axis=1, keepdims=True)
    gold_log_P = log_PC[np.arange(len(gold_P)), gold_P]

    def measure(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        return float((np.log(np.exp(log_PC * inverse).sum(axis=1)) - gold_log_P * inverse).mean())

    low, high = math.log(MIN_FACTOR), math.log(MAX_FACTOR)
    for _ in range(_SECTIONS):
        span = _GOLDEN * (high - low)
        if measure(high - span) <= measure(low + span):
            high = low + span
        else:
            low = high - span
    return math.exp((low + high) / 2)


def _fit_risk(log_odds_PK: FloatArray, gold_level_P: IntArray) -> tuple[float, list[float]]:
    """Fit a common slope and one offset per level; offsets that would increase are fitted as one."""
    targets_PK = np.stack([_smooth(gold_level_P >= level) for level in range(1, log_odds_PK.shape[1] + 1)], axis=1)
    blocks = [[k] for k in range(log_odds_PK.shape[1])]
    while True:
        slope, of_blocks = _fit_blocks(log_odds_PK, targets_PK, blocks)
        rising = next((i for i in range(len(blocks) - 1) if of_blocks[i] < of_blocks[i + 1]), None)
        if rising is None:
            break
        blocks[rising : rising + 2] = [blocks[rising] + blocks[rising + 1]]
    offsets = [offset for block, offset in zip(blocks, of_blocks, strict=True) for _ in block]
    return slope, offsets


def _smooth(positive_P: BoolArray) -> FloatArray:
    """Smooth labels: (n₊ + 1) / (n₊ + 2) for positives, 1 / (n₋ + 2) for negatives."""
    positives = int(positive_P.sum())
    negatives = len(positive_P) - positives
    return np.where(positive_P, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _fit_blocks(log_odds_PK: FloatArray, targets_PK: FloatArray, blocks: list[list[int]]) -> tuple[float, list[float]]:
    """Fit by Newton's method with halved steps; the slope stays within bounds."""
    of_block_KN = np.array([[k in block for block in blocks] for k in range(log_odds_PK.shape[1])], dtype=np.float64)
    values = np.concatenate([[1.0], np.zeros(len(blocks))])

    def measure(values: FloatArray) -> float:
        logits_PK = values[0] * log_odds_PK + of_block_KN @ values[1:]
        return float((np.logaddexp(0.0, logits_PK) - targets_PK * logits_PK).sum())

    loss = measure(values)
    for _ in range(_NEWTON_STEPS):
        risks_PK = apply_sigmoid(values[0] * log_odds_PK + of_block_KN @ values[1:])
        errors_PK, weights_PK = risks_PK - targets_PK, risks_PK * (1 - risks_PK)
        gradient = np.concatenate([[(errors_PK * log_odds_PK).sum()], errors_PK.sum(axis=0) @ of_block_KN])
        hessian = np.diag(
            np.concatenate([[(weights_PK * log_odds_PK**2).sum()], weights_PK.sum(axis=0) @ of_block_KN]) + _RIDGE
        )
        hessian[0, 1:] = hessian[1:, 0] = (weights_PK * log_odds_PK).sum(axis=0) @ of_block_KN
        step = np.linalg.solve(hessian, gradient)
        for halving in range(_HALVINGS):
            tried = _limit(values - step * 0.5**halving)
            tried_loss = measure(tried)
            if tried_loss < loss:
                break
        else:
            break
        converged = loss - tried_loss < _CONVERGED * max(1.0, loss)
        values, loss = tried, tried_loss
        if converged:
            break
    return float(values[0]), values[1:].tolist()


def _limit(values: FloatArray) -> FloatArray:
    limited = np.clip(values, -_MAX_OFFSET, _MAX_OFFSET)
    limited[0] = min(max(float(values[0]), MIN_FACTOR), MAX_FACTOR)
    return limited
