"""Paths of thresholds from strict to lenient: the order in which a guarantee is tested.

A path begins with thresholds that nothing reaches. Then all of its thresholds lie at their upper bound, and move down
together in log-odds until all lie at their lower bound; where they lie relative to each other is the shape, which a
search determines on other samples than the test. Each step flags whatever the step before flags, so losses never
decrease. Thresholds have at most three decimals and lie within [0.05, 0.95], where people can reason about them.
Shapes: J steps · P samples · R risky types · K = L - 1 levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from safety_core.evaluation.calibration.scores.score_table import Risks
from safety_core.evaluation.calibration.threshold_search import NEVER
from safety_core.evaluation.statistics.estimates import BoolArray, FloatArray, IntArray
from safety_core.score_calibration import apply_sigmoid

LOWEST, HIGHEST = 0.05, 0.95
"""Bounds of thresholds."""

STEP = 0.1
"""Distance of two steps in log-odds."""

_DECIMALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdPath:
    """The steps of some thresholds; the others of a policy are no part of the path."""

    thresholds_JRK: FloatArray
    """Thresholds of each step; infinite where they are no part of the path."""

    shift_J: FloatArray
    """Distance of each step from the shape, in log-odds; a positive one lowers thresholds."""

    def __len__(self) -> int:
        return len(self.shift_J)

    def find_first_steps(self, risks: Risks) -> IntArray:
        """Find the first step that flags each sample; the number of steps if none does."""
        steps = len(self)
        first_V = np.full(len(risks.type_V), steps)
        for kind in range(self.thresholds_JRK.shape[1]):
            of_kind_V = risks.type_V == kind
            for level in range(self.thresholds_JRK.shape[2]):
                falling_J = self.thresholds_JRK[:, kind, level]
                if np.isfinite(falling_J[0]):
                    # The first step whose threshold is at most the risk; thresholds fall from step to step.
                    found = np.searchsorted(-falling_J, -risks.risk_VK[of_kind_V, level], side="left")
                    first_V[of_kind_V] = np.minimum(first_V[of_kind_V], found)
        first_P = np.full(len(risks.table), steps)
        np.minimum.at(first_P, risks.table.sample_V, first_V)
        return first_P


def build_path(shape_RK: FloatArray, entries_RK: BoolArray) -> ThresholdPath:
    """Build the path through a shape.

    Args:
        shape_RK: thresholds whose log-odds relative to each other are kept.
        entries_RK: the thresholds that belong to the path, at least one.
    """
    shape_RK = _round(shape_RK)
    log_odds_RK = np.log(shape_RK) - np.log1p(-shape_RK)
    highest = float(np.log(HIGHEST) - np.log1p(-HIGHEST))
    own = log_odds_RK[entries_RK]
    first, last = own.min() - highest, own.max() + highest
    shift_J = np.arange(np.floor(first / STEP), np.ceil(last / STEP) + 1) * STEP
    steps_JRK = _round(apply_sigmoid(log_odds_RK[None] - shift_J[:, None, None]))
    steps_JRK = np.concatenate([np.full((1, *shape_RK.shape), NEVER), steps_JRK])
    steps_JRK[:, ~entries_RK] = np.inf
    shift_J = np.concatenate([[shift_J[0] - STEP], shift_J])
    distinct_J = np.concatenate([[True], np.any(steps_JRK[1:] != steps_JRK[:-1], axis=(1, 2))])
    return ThresholdPath(thresholds_JRK=steps_JRK[distinct_J], shift_J=np.round(shift_J[distinct_J], 6))


def _round(thresholds: FloatArray) -> FloatArray:
    return np.clip(np.round(thresholds, _DECIMALS), LOWEST, HIGHEST)
