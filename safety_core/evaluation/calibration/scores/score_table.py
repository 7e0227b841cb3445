"""Scores of many labelled samples as arrays, so that thousands of thresholds can be tried in milliseconds.

The table holds the head's raw probabilities. :func:`compute_risks` recalibrates them and applies the part of a policy
that does not depend on thresholds; then a view is flagged exactly where :func:`safety_core.policy.policy.decide` flags
it, and a sample exactly where one of its views is: a test compares the two. Knows no texts, no images and no torch.
Shapes: P samples · V views of all samples · C risk types · L risk levels · K = L - 1 risky levels · R risky types.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from safety_core.errors import ConfigError
from safety_core.evaluation.scoring.reply_kinds import Duty, determine_duty
from safety_core.evaluation.statistics.estimates import BoolArray, FloatArray, IntArray
from safety_core.policy.policy import Action, Decision, Policy
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable:
    """Raw scores of labelled samples."""

    types_VC: FloatArray
    """Probabilities of the types, for every view from which a decision is derived."""

    levels_VL: FloatArray
    """Probabilities of the levels of these views."""

    sample_V: IntArray
    """Index of each view's sample."""

    label_view_P: IntArray
    """Index of the view that the label of the sample is about: all images with all words; -1 if it has no scores."""

    gold_type_P: IntArray
    gold_level_P: IntArray
    group_P: IntArray
    """Group of near-duplicates of each sample."""

    source_P: tuple[str, ...]
    """Data set of each sample."""

    novelty_P: FloatArray
    """Novelty of each sample; 0 if it is not measured."""

    judged_P: BoolArray
    """Whether the sample has a verdict; a sample without one is refused, whatever the thresholds."""

    taxonomy: Taxonomy

    def __len__(self) -> int:
        return len(self.gold_level_P)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(np.unique(self.group_P))

    def select(self, mask_P: BoolArray) -> ScoreTable:
        """Select some samples, in the same order."""
        view_mask_V = mask_P[self.sample_V]
        view_of_old_V = np.cumsum(view_mask_V) - 1
        sample_of_old_P = np.cumsum(mask_P) - 1
        labels_P = self.label_view_P[mask_P]
        return replace(
            self,
            types_VC=self.types_VC[view_mask_V],
            levels_VL=self.levels_VL[view_mask_V],
            sample_V=sample_of_old_P[self.sample_V[view_mask_V]],
            label_view_P=np.where(labels_P >= 0, view_of_old_V[labels_P], -1),
            gold_type_P=self.gold_type_P[mask_P],
            gold_level_P=self.gold_level_P[mask_P],
            group_P=self.group_P[mask_P],
            source_P=tuple(np.array(self.source_P, dtype=object)[mask_P]),
            novelty_P=self.novelty_P[mask_P],
            judged_P=self.judged_P[mask_P],
        )

    def select_duties(self, *duties: Duty) -> BoolArray:
        """Return the mask of the samples whose level has one of these duties."""
        levels = len(self.taxonomy.levels)
        wanted = [level for level in range(levels) if determine_duty(level, levels) in duties]
        return np.isin(self.gold_level_P, wanted)

    def reduce_to_samples(self, values_V: FloatArray, *, empty: float) -> FloatArray:
        """Take the maximum over the views of each sample; ``empty`` for a sample without views."""
        values_P = np.full(len(self), empty, dtype=np.float64)
        np.maximum.at(values_P, self.sample_V, values_V)
        return values_P


@dataclass(frozen=True, slots=True, kw_only=True)
class Risks:
    """Recalibrated risks of the views of a table, under the enabled types of a policy."""

    table: ScoreTable
    type_V: IntArray
    """Index of each view's type among the risky types; -1 if no type is enabled."""

    risk_VK: FloatArray
    """s_k of each view for k = 1 … L-1."""

    refused_P: BoolArray
    """Samples that are refused whatever the thresholds: without a verdict, or by their novelty."""

    flagged_P: BoolArray
    """Samples that are refused or cautioned whatever the thresholds."""

    def reach(self, thresholds_RK: FloatArray) -> BoolArray:
        """Return the mask of the samples with a view that reaches one of these thresholds; infinite ones never."""
        if not len(thresholds_RK):
            return np.zeros(len(self.table), dtype=np.bool_)
        reached_V = (self.risk_VK >= thresholds_RK[self.type_V]).any(axis=1) & (self.type_V >= 0)
        reached_P = np.zeros(len(self.table), dtype=np.bool_)
        reached_P[self.table.sample_V[reached_V]] = True
        return reached_P


def compute_risks(table: ScoreTable, calibration: ScoreCalibration, policy: Policy) -> Risks:
    """Recalibrate the scores of a table, and weigh them by the enabled types of a policy."""
    taxonomy = table.taxonomy
    types_VC = calibration.calibrate_types(table.types_VC)
    levels_VL = calibration.calibrate_levels(table.levels_VL)
    enabled_C = np.array([name in policy.enabled for name in taxonomy.types])
    risky_C = np.array([name != taxonomy.safe_type for name in taxonomy.types])
    total_V = types_VC[:, risky_C].sum(axis=1)
    weight_V = types_VC[:, enabled_C].sum(axis=1) / np.where(total_V > 0, total_V, 1.0)
    weight_V = np.where(total_V > 0, weight_V, 1.0)
    # s_k is the sum of the levels from k on, summed in the order of the policy's own sum.
    risk_VK = np.stack([levels_VL[:, level:].sum(axis=1) for level in range(1, levels_VL.shape[1])], axis=1)
    if enabled_C.any():
        candidates_VC = np.where(enabled_C, types_VC, -np.inf)
        place_C = np.cumsum(risky_C) - 1
        type_V = place_C[candidates_VC.argmax(axis=1)] if len(types_VC) else np.zeros(0, dtype=np.int64)
    else:
        type_V, weight_V = np.full(len(types_VC), -1), np.zeros(len(types_VC))
    novel_P = table.novelty_P >= policy.novelty.threshold
    decision = policy.novelty.action.decision
    return Risks(
        table=table,
        type_V=type_V,
        risk_VK=weight_V[:, None] * risk_VK,
        refused_P=~table.judged_P | (novel_P if decision is Decision.REFUSED else False),
        flagged_P=~table.judged_P | (novel_P if decision is not Decision.ALLOWED else False),
    )


def check_actions(policy: Policy, taxonomy: Taxonomy) -> None:
    """Raise ConfigError if a higher level has a milder action than a lower one: refusals would not be monotone."""
    for name in taxonomy.risky_types:
        actions = [policy.actions[name][level] for level in range(1, len(taxonomy.levels))]
        severities = [action.decision.severity for action in actions]
        if name in policy.enabled and severities != sorted(severities):
            raise ConfigError(f"calibration: actions.{name}: a higher level must not have a milder action")


def find_entries(policy: Policy, taxonomy: Taxonomy, action: Action) -> BoolArray:
    """Find the thresholds of enabled types that lead to an action, as a mask over R types and K levels."""
    levels = range(1, len(taxonomy.levels))
    return np.array(
        [
            [name in policy.enabled and policy.actions[name][level] is action for level in levels]
            for name in taxonomy.risky_types
        ]
    )


def read_thresholds(policy: Policy, taxonomy: Taxonomy) -> FloatArray:
    """Return the thresholds of a policy by type and level, RK."""
    levels = range(1, len(taxonomy.levels))
    return np.array([[policy.thresholds[name][level] for level in levels] for name in taxonomy.risky_types])


def write_thresholds(thresholds_RK: FloatArray, taxonomy: Taxonomy) -> dict[str, dict[int, float]]:
    """Return thresholds in the form of a policy."""
    return {
        name: {level: float(value) for level, value in enumerate(row, start=1)}
        for name, row in zip(taxonomy.risky_types, thresholds_RK.tolist(), strict=True)
    }
