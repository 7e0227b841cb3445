"""Chooses thresholds that keep a promise: a false-alarm rate with a guarantee for finite samples.

The groups of the data are split at random into a part for search and a part for the test. On the first, the scores are
recalibrated and the shape of the thresholds is searched, with any heuristic. The second tests the steps of the path
through this shape, from strict to lenient, in this fixed order, and stops at the first step whose rate may exceed
alpha (Angelopoulos et al., *Learn then Test*, arXiv 2110.01052, with a sequence that other data determine, as in
Laufer-Goldshtein et al., *Efficiently Controlling Multiple Risks with Pareto Testing*, ICLR 2023, arXiv 2210.07913).
However many thresholds a step has, it is one hypothesis, and the fixed order corrects for the number of steps. The
rates of refusals and of cautions are tested apart, each at half of delta (Bonferroni), so both hold together with
probability 1 - delta. Among the steps that pass, any choice has the guarantee: the one with the fewest misses plus
exchanged false alarms on all data is taken.

For risk control, steps pass while the expected rate is at most alpha (Angelopoulos et al., *Conformal Risk Control*,
arXiv 2208.02814). If no step passes, thresholds that nothing reaches are returned: the guard abstains, and says so.

The guarantee is for requests drawn like the groups of the data; under a shift, it holds no longer (``validation``).
Shapes: P samples · J steps · G tested groups · R risky types · K = L - 1 levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from safety_core.evaluation.calibration.budget_search import CalibrationGoal, Point, search_thresholds
from safety_core.evaluation.calibration.certification.measured_rates import count_decisions, measure_rates
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.evaluation.calibration.certification.rate_tests import RateTest, prepare_tests
from safety_core.evaluation.calibration.scores.groups import split_groups
from safety_core.evaluation.calibration.scores.score_fitting import LogLosses, fit_scores, measure_log_losses
from safety_core.evaluation.calibration.scores.score_table import (
    Risks,
    ScoreTable,
    check_actions,
    compute_risks,
    read_thresholds,
    write_thresholds,
)
from safety_core.evaluation.scoring.reply_kinds import determine_duty
from safety_core.evaluation.statistics.estimates import BoolArray, FloatArray
from safety_core.evaluation.statistics.risk_bounds import find_least_draws
from safety_core.policy.guarantee import CalibratedPreset, Guarantee, RateName
from safety_core.policy.policy import Policy
from safety_core.policy.presets import PRESETS, PresetName
from safety_core.score_calibration import ScoreCalibration

SEARCH_SHARE = 0.4
"""Share of the groups that search and recalibration use; the others are tested."""

_NEUTRAL = 0.5
"""Threshold from which the search begins, and where it leaves types that it knows nothing about."""

_STRICT_ALPHA = 0.05
"""Limit of the strict preset, unless twice the policy's limit is more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedThresholds:
    """Thresholds with their guarantee."""

    policy: Policy
    scores: ScoreCalibration
    """The recalibration of the scores that the thresholds belong to."""

    guarantee: Guarantee
    abstained: tuple[RateName, ...]
    """Rates that no threshold keeps within their limit, as far as the data can tell: their thresholds are out of
    reach."""

    searched_P: BoolArray
    """The samples that search and recalibration used; the others were tested."""

    counts: Mapping[str, int]
    """Decisions on all samples, under the names of ``calibrate.Calibration``."""

    before: LogLosses
    """Of raw scores, on the tested samples."""

    after: LogLosses
    """Of recalibrated scores."""


def certify_thresholds(
    table: ScoreTable,
    base: Policy,
    promise: Promise,
    *,
    data: str = "",
    scores: ScoreCalibration | None = None,
    shape: FloatArray | None = None,
    details: bool = True,
) -> CertifiedThresholds:
    """Choose thresholds for a policy.

    Args:
        table: raw scores of labelled samples.
        base: the policy whose actions, enabled types and texts apply.
        promise: the guarantee.
        data: SHA-256 of the data, for the record.
        scores: the recalibration of the scores; fitted if None.
        shape: thresholds RK whose relations are kept, from other data than ``table``; searched if None, on a part of
            the data. If scores and shape are given, all of the data are tested.
        details: whether to measure curves, presets and likelihoods as well.

    Raises:
        ConfigError: a policy has no action to calibrate, or a milder one at a higher level; or no sample has scores.
    """
    check_actions(base, table.taxonomy)
    searched_P = np.zeros(len(table), dtype=np.bool_)
    if scores is None or shape is None:
        searched_P = split_groups(table.group_P, SEARCH_SHARE, promise.seed)
    search = table.select(searched_P)
    scores = fit_scores(search) if scores is None else scores
    shape = _search_shape(compute_risks(search, scores, base), base, promise) if shape is None else shape
    risks = compute_risks(table, scores, base)
    tests = prepare_tests(risks, base, promise, shape, ~searched_P)
    steps = [test.choose_step(test.alpha) for test in tests]
    policy = _set_thresholds(base, risks, tests, steps)
    guarantee = Guarantee(
        method=promise.method,
        delta=None if promise.controls_average else promise.delta,
        data=data,
        pairs=len(table),
        groups=table.groups,
        seed=promise.seed,
        scores=scores.to_dict(),
        guarantees=[
            test.describe(step, test.alpha, with_curve=details) for test, step in zip(tests, steps, strict=True)
        ],
        measured=measure_rates(risks, policy, ~searched_P, promise.seed),
        presets=_build_presets(risks, base, tests, steps, ~searched_P) if details else {},
    )
    tested = table.select(~searched_P & details)
    return CertifiedThresholds(
        policy=policy,
        scores=scores,
        guarantee=guarantee,
        abstained=tuple(test.rate for test, step in zip(tests, steps, strict=True) if step == 0),
        searched_P=searched_P,
        counts=count_decisions(risks, policy),
        before=measure_log_losses(tested, ScoreCalibration()),
        after=measure_log_losses(tested, scores),
    )


def explain_abstention(certified: CertifiedThresholds) -> list[str]:
    """Explain, for each rate without thresholds, what the data lack."""
    reasons = []
    for guaranteed in certified.guarantee.guarantees:
        if guaranteed.rate in certified.abstained:
            # Risk control adds one loss to those of n draws: 1 / (n + 1) ≤ alpha.
            least = (
                math.ceil(1 / guaranteed.alpha) - 1
                if guaranteed.delta is None
                else find_least_draws(guaranteed.alpha, guaranteed.delta)
            )
            reasons.append(
                f"no thresholds keep the rate of {guaranteed.rate.replace('_', ' ')} at most {guaranteed.alpha:g}, as "
                f"far as {guaranteed.groups} tested groups can tell (without any false alarm, {least} are needed)"
            )
    return reasons


def _search_shape(risks: Risks, base: Policy, promise: Promise) -> FloatArray:
    """Search for thresholds within the budgets, on samples that no test will see."""
    table, taxonomy = risks.table, risks.table.taxonomy
    # Each sample is represented by its view with the largest risk of all.
    order = np.lexsort((risks.risk_VK[:, 0], table.sample_V))
    last_V = order[np.append(np.diff(table.sample_V[order]) > 0, True)] if len(order) else order
    levels = len(taxonomy.levels)
    points = [
        Point(
            taxonomy.risky_types[risks.type_V[view]],
            dict(enumerate(risks.risk_VK[view].tolist(), start=1)),
            level := int(table.gold_level_P[table.sample_V[view]]),
            determine_duty(level, levels),
        )
        for view in last_V
        if risks.type_V[view] >= 0
    ]
    neutral = replace(
        base, thresholds={name: dict.fromkeys(by_level, _NEUTRAL) for name, by_level in base.thresholds.items()}
    )
    goal = CalibrationGoal(
        false_refusals=promise.alpha,
        false_cautions=promise.get_alpha("false_cautions"),
        refusal_exchange=promise.refusal_exchange,
        caution_exchange=promise.caution_exchange,
        by_type=promise.by_type,
    )
    return read_thresholds(replace(base, thresholds=search_thresholds(points, neutral, goal)), taxonomy)


def _set_thresholds(base: Policy, risks: Risks, tests: Sequence[RateTest], steps: Sequence[int]) -> Policy:
    """Set the thresholds of some steps; those of disabled types become the highest of their level."""
    taxonomy = risks.table.taxonomy
    thresholds_RK = read_thresholds(base, taxonomy)
    set_RK = np.zeros(thresholds_RK.shape, dtype=np.bool_)
    for test, step in zip(tests, steps, strict=True):
        of_path_RK = np.isfinite(test.path.thresholds_JRK[step])
        thresholds_RK[of_path_RK] = test.path.thresholds_JRK[step][of_path_RK]
        set_RK |= of_path_RK
    highest_K = np.where(set_RK, thresholds_RK, -np.inf).max(axis=0)
    disabled_R = np.array([name not in base.enabled for name in taxonomy.risky_types])
    replaced_RK = disabled_R[:, None] & np.isfinite(highest_K)
    thresholds_RK = np.where(replaced_RK, highest_K, thresholds_RK)
    return replace(base, thresholds=write_thresholds(thresholds_RK, taxonomy))


def _build_presets(
    risks: Risks, base: Policy, tests: Sequence[RateTest], chosen: Sequence[int], tested_P: BoolArray
) -> dict[PresetName, CalibratedPreset]:
    """Build the presets that have a guarantee, on the same paths."""
    presets: dict[PresetName, CalibratedPreset] = {}
    for preset in PRESETS:
        alphas = [_compute_alpha(preset.name, test.alpha) for test in tests]
        steps = list(chosen)
        if preset.name is not PresetName.BALANCED:
            steps = [test.choose_step(alpha, preset.name) for test, alpha in zip(tests, alphas, strict=True)]
        if not all(steps):
            continue
        policy = _set_thresholds(base, risks, tests, steps)
        presets[preset.name] = CalibratedPreset(
            thresholds={
                name: {str(level): value for level, value in by_level.items()}
                for name, by_level in policy.thresholds.items()
            },
            guarantees=[
                test.describe(step, alpha, with_curve=False)
                for test, step, alpha in zip(tests, steps, alphas, strict=True)
            ],
            measured=measure_rates(risks, policy, tested_P, tests[0].promise.seed),
        )
    return presets


def _compute_alpha(preset: PresetName, alpha: float) -> float:
    """Compute the limit of a preset from that of the policy: 0.5 %, 1 % and 5 % if that is 1 %."""
    if preset is PresetName.STRICT:
        return max(_STRICT_ALPHA, min(2 * alpha, (1 + alpha) / 2))
    return alpha / 2 if preset is PresetName.PERMISSIVE else alpha
