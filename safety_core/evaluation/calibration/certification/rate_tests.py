"""Tests which steps of a path of thresholds keep one rate within its limit, and chooses among them.

Shapes: P samples · J steps of the path · G tested groups · R risky types · K = L - 1 levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.certification.measured_rates import (
    ACTIONS,
    find_always_flagged,
    select_negatives,
)
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.evaluation.calibration.certification.threshold_paths import ThresholdPath, build_path
from safety_core.evaluation.calibration.scores.groups import draw_one_per_group
from safety_core.evaluation.calibration.scores.score_table import Risks, ScoreTable, find_entries
from safety_core.evaluation.scoring.reply_kinds import Duty
from safety_core.evaluation.statistics.estimates import BoolArray, FloatArray, IntArray
from safety_core.evaluation.statistics.risk_bounds import (
    bound_rates,
    compute_p_values,
    count_controlled,
    count_rejections,
    is_binary,
)
from safety_core.policy.guarantee import MAX_CURVE, CurvePoint, GuaranteedRate, RateName
from safety_core.policy.policy import Policy
from safety_core.policy.presets import PresetName

_UPPER_DELTA = 0.05
"""Delta of the upper bounds that are reported where the guarantee itself has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTest:
    """The thresholds that one rate depends on, and the losses along their path."""

    rate: RateName
    alpha: float
    """Limit of the rate."""

    delta: float
    """Maximum probability of a step that passes although its rate is above the limit."""

    promise: Promise
    path: ThresholdPath
    losses_GJ: FloatArray
    """Losses of the tested groups."""

    cost_J: FloatArray
    """Misses plus exchanged false alarms, on all samples."""

    missed_J: FloatArray | None
    """Share of the samples that should be flagged and are not, of all samples; None if there are none of the kind."""

    def count_passing(self, alpha: float) -> int:
        """Count the steps that keep the rate at most alpha; the first one flags nothing and is not tested."""
        losses_GJ = self.losses_GJ[:, 1:]
        if self.promise.controls_average:
            return count_controlled(losses_GJ, alpha)
        return count_rejections(compute_p_values(losses_GJ, alpha), self.delta)

    def choose_step(self, alpha: float, preset: PresetName = PresetName.BALANCED) -> int:
        """Choose one of the passing steps; 0 if there is none.

        The strict preset takes the last one. The others take the cheapest: of several in a row, the permissive preset
        takes the first, and the balanced one that in the middle, which is the furthest from any sample.
        """
        passing = self.count_passing(alpha)
        if not passing or preset is PresetName.STRICT:
            return passing
        costs = self.cost_J[1 : passing + 1]
        first = int(costs.argmin())
        if preset is PresetName.PERMISSIVE:
            return first + 1
        equal = int(np.cumprod(costs[first:] == costs[first]).sum())
        return first + 1 + (equal - 1) // 2

    def describe(self, step: int, alpha: float, *, with_curve: bool) -> GuaranteedRate:
        """Describe the guarantee of a step."""
        delta = _UPPER_DELTA if self.promise.controls_average else self.delta
        draws, sums_J = len(self.losses_GJ), self.losses_GJ.sum(axis=0)
        places = [step]
        if with_curve and draws:
            spaced = np.linspace(0, len(self.path) - 1, min(MAX_CURVE - 1, len(self.path))).round().astype(int)
            places = sorted({step, *spaced.tolist()})
        uppers = bound_rates(sums_J[places], draws, delta, binary=is_binary(self.losses_GJ)).tolist()
        bounds = dict(zip(places, uppers, strict=True))
        return GuaranteedRate(
            rate=self.rate,
            alpha=alpha,
            delta=None if self.promise.controls_average else self.delta,
            groups=draws,
            errors=round(float(sums_J[step]), 6),
            upper=round(bounds[step], 6),
            curve=[
                CurvePoint(
                    shift=float(self.path.shift_J[place]),
                    rate=round(float(sums_J[place]) / draws, 6),
                    upper=round(bounds[place], 6),
                    missed=None if self.missed_J is None else round(float(self.missed_J[place]), 6),
                )
                for place in (places if with_curve and draws else ())
            ],
        )


def prepare_tests(
    risks: Risks, base: Policy, promise: Promise, shape_RK: FloatArray, tested_P: BoolArray
) -> list[RateTest]:
    """Prepare the test of each rate that a policy's actions can cause.

    Args:
        risks: risks of all samples.
        base: the policy whose actions and enabled types apply.
        promise: the guarantee.
        shape_RK: thresholds whose relations the paths keep.
        tested_P: the samples that the shape does not depend on.

    Raises:
        ConfigError: the policy neither refuses nor cautions.
    """
    table = risks.table
    entries = {rate: find_entries(base, table.taxonomy, action) for rate, action in ACTIONS.items()}
    used = [rate for rate, entries_RK in entries.items() if entries_RK.any()]
    if not used:
        raise ConfigError("calibration: the policy refuses and cautions nothing")
    tests = []
    for rate in used:
        refuses = rate == "false_refusals"
        path = build_path(shape_RK, entries[rate])
        first_P = np.where(find_always_flagged(risks, rate), 0, path.find_first_steps(risks))
        positive_P = table.select_duties(Duty.REFUSE) if refuses else table.gold_level_P > 0
        negative_P = select_negatives(table, rate)
        missed_J = _count_later(first_P[positive_P], len(path))
        false_J = negative_P.sum() - _count_later(first_P[negative_P], len(path))
        exchange = promise.refusal_exchange if refuses else promise.caution_exchange
        tests.append(
            RateTest(
                rate=rate,
                alpha=promise.get_alpha(rate),
                delta=promise.delta / len(used),
                promise=promise,
                path=path,
                losses_GJ=_collect_losses(table, first_P, negative_P & tested_P, len(path), promise),
                cost_J=missed_J + exchange * false_J,
                missed_J=missed_J / positive_P.sum() if positive_P.any() else None,
            )
        )
    return tests


def _count_later(first_P: IntArray, steps: int) -> FloatArray:
    """Count, for each step, the samples that are flagged later or never."""
    flagged_J = np.cumsum(np.bincount(first_P, minlength=steps + 1)[:steps])
    return np.asarray(len(first_P) - flagged_J, dtype=np.float64)


def _collect_losses(
    table: ScoreTable, first_P: IntArray, applies_P: BoolArray, steps: int, promise: Promise
) -> FloatArray:
    """Collect the losses of the tested groups at each step: of one of their samples, or the mean of all."""
    if promise.per_group == "one":
        drawn = draw_one_per_group(table.group_P, applies_P, promise.seed)
        return np.asarray(first_P[drawn][:, None] <= np.arange(steps), dtype=np.float64)
    _, place_P, sizes = np.unique(table.group_P[applies_P], return_inverse=True, return_counts=True)
    counts_GS = np.zeros((len(sizes), steps + 1))
    np.add.at(counts_GS, (place_P, first_P[applies_P]), 1.0)
    return np.asarray(np.cumsum(counts_GS, axis=1)[:, :steps] / sizes[:, None], dtype=np.float64)
