"""Chooses a policy's thresholds: as few misses as a small share of false alarms permits.

For each level k, from the worst down, each risk type t gets the threshold on s_k that decides a labelled split best. At
most a share of the negatives may be flagged at k; this budget is spent where it avoids most misses
(``threshold_search``). Knows the guard's scores and nothing of replies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import Sample
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.judging.variant_decision import JudgedVariant
from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.threshold_search import Cut, allocate_budget, find_cuts
from safety_core.evaluation.scoring.guard_scores import VariantScores, apply_policy, encode_chunks, score_chunk
from safety_core.evaluation.scoring.picture_readings import create_sample_reader
from safety_core.evaluation.scoring.reply_kinds import Duty, determine_duty
from safety_core.model.checkpoint.checkpoint import POLICY_FILE, load_checkpoint, update_policy
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Action, Decision, Policy
from safety_core.taxonomy import Taxonomy

CHUNK, BATCH = 512, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationGoal:
    """Limits on false alarms, and their exchange rate against misses.

    Raises:
        ConfigError: a share is not within [0, 1] or the exchange is negative.
    """

    false_refusals: float = 0.01
    """Maximum share of refused pairs among the pairs that deserve an answer, over all levels that are refused."""

    false_cautions: float = 0.01
    """Maximum share of flagged pairs among the pairs below a level that is answered with caution."""

    refusal_exchange: float = 0.5
    """Cost of one false refusal in misses: within the budget, up to 1/exchange false refusals are accepted to avoid one
    miss. With 0, the whole budget may be spent to avoid a single miss, which overfits to outliers."""

    caution_exchange: float = 1.0
    """Cost of one false caution in misses."""

    by_type: bool = True
    """Whether each type gets thresholds of its own, or all types the same ones: a split with few samples of a type says
    little about that type."""

    def __post_init__(self) -> None:
        for name in ("false_refusals", "false_cautions"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"calibration.{name}: a share from 0 to 1 is needed, got {getattr(self, name)}")
        if self.refusal_exchange < 0 or self.caution_exchange < 0:
            raise ConfigError("calibration: an exchange must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A calibrated policy and its decisions on the split that it was calibrated on."""

    policy: Policy
    """The policy with the new thresholds."""

    pairs: int
    """Number of pairs in the split."""

    answerable: int
    """Number of pairs that deserve an answer."""

    false_refusals: int
    """Number of these pairs that are refused."""

    refusable: int
    """Number of pairs of the worst level."""

    missed_refusals: int
    """Number of these pairs that are not refused."""

    harmless: int
    """Number of pairs of level 0."""

    false_cautions: int
    """Number of these pairs that are answered with caution."""

    @property
    def counts(self) -> dict[str, int]:
        """All fields but the policy."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "policy"}


def calibrate_checkpoint(
    checkpoint: Path, data: Path, *, goal: CalibrationGoal | None = None, device: str = "cpu", write: bool = True
) -> Calibration:
    """Calibrate a checkpoint's own policy on a JSONL split; rewrites ``policy.json`` and the manifest with it.

    Args:
        checkpoint: directory of the checkpoint.
        data: labelled samples that the modules were not trained on.
        goal: limits of false alarms.
        device: device of the head.
        write: whether to write the policy into the checkpoint.

    Raises:
        CheckpointError: the checkpoint is damaged or untrained.
        SampleError: the split is malformed.
        ConfigError: the split has no pair that deserves an answer, or no pair of the worst level.
    """
    model = load_checkpoint(checkpoint, device=device)
    base = load_policy(checkpoint / POLICY_FILE, model.taxonomy)
    result = calibrate(model, base, read_jsonl(data, model.taxonomy).samples, goal=goal)
    if write:
        update_policy(checkpoint, result.policy)
    return result


def calibrate(
    model: SafeLlava, base: Policy, samples: Sequence[Sample], *, goal: CalibrationGoal | None = None
) -> Calibration:
    """Choose thresholds for ``base`` from the model's scores of samples; actions, enabled types and texts are kept.

    Raises:
        ConfigError: no sample deserves an answer, no sample is of the worst level, or the reader is not installed.
        SampleError: an image cannot be read.
    """
    guard = Guard(model, base, limits=GuardLimits(max_batch=BATCH))
    chunks = encode_chunks(model, samples, CHUNK, reader=create_sample_reader(model.reader))
    scores = [entry for chunk in chunks for entry in score_chunk(guard, chunk, BATCH)]
    return calibrate_scores(model.taxonomy, base, samples, scores, goal=goal)


def calibrate_scores(
    taxonomy: Taxonomy,
    base: Policy,
    samples: Sequence[Sample],
    scores: Sequence[VariantScores],
    *,
    goal: CalibrationGoal | None = None,
) -> Calibration:
    """Choose thresholds as :func:`calibrate` does, from scores that were computed before."""
    goal = CalibrationGoal() if goal is None else goal
    duties = [determine_duty(sample.label.level, len(taxonomy.levels)) for sample in samples]
    if Duty.REFUSE not in duties or not {Duty.ANSWER, Duty.CARE} & set(duties):
        raise ConfigError("calibration needs samples of the worst level and samples that deserve an answer")
    decisions = [apply_policy(base, taxonomy, entry) for entry in scores]
    points = [
        _Point(entry.verdict.type, entry.verdict.level_scores, sample.label.level, duty)
        for entry, sample, duty in zip(decisions, samples, duties, strict=True)
        if entry is not None and entry.scores is not None and entry.verdict.level_scores
    ]
    thresholds = {name: dict(levels) for name, levels in base.thresholds.items()}
    refusals = math.floor(goal.false_refusals * sum(point.deserves_answer for point in points))
    refused = [level for level in range(1, len(taxonomy.levels)) if _refuses(base, level)]
    for level in range(len(taxonomy.levels) - 1, 0, -1):
        left = sum(other <= level for other in refused)  # each level gets its part of what the worse ones left
        _choose_level(level, points, thresholds, base, goal, refusals // max(1, left))
        # A sample that is flagged at this level stays flagged, whatever the thresholds of lower levels.
        flagged = [point for point in points if point.scores[level] >= thresholds[point.type][level]]
        refusals -= sum(point.deserves_answer and base.actions[point.type][level] is Action.REFUSE for point in flagged)
        points = [point for point in points if point.scores[level] < thresholds[point.type][level]]
    policy = replace(base, thresholds=thresholds)
    return _count_decisions(policy, duties, [apply_policy(policy, taxonomy, entry) for entry in scores])


@dataclass(frozen=True, slots=True)
class _Point:
    """One sample: the verdict's type, its scores by level, and the gold label."""

    type: str
    scores: Mapping[int, float]
    level: int
    duty: Duty

    @property
    def deserves_answer(self) -> bool:
        """Whether a refusal would be a false alarm."""
        return self.duty in (Duty.ANSWER, Duty.CARE)


def _refuses(policy: Policy, level: int) -> bool:
    """Whether some type is refused at a level."""
    return any(policy.actions[name][level] is Action.REFUSE for name in policy.enabled)


def _choose_level(
    level: int,
    points: Sequence[_Point],
    thresholds: dict[str, dict[int, float]],
    base: Policy,
    goal: CalibrationGoal,
    refusals: int,
) -> None:
    """Choose every enabled type's threshold on s_k for one level k, or one for all types.

    Args:
        level: k.
        points: the samples that no worse level flags.
        thresholds: by type and level; completed here.
        base: the policy whose actions apply.
        goal: limits on false alarms.
        refusals: number of false refusals that are still allowed.
    """
    names = sorted(base.enabled)
    groups = [[name] for name in names] if goal.by_type else [names]
    cuts: dict[str, list[Cut]] = {}
    negatives = 0
    for group in groups:
        of_group = [point for point in points if point.type in group]
        below = [
            point.scores[level] for point in of_group if _is_negative(point, level, base.actions[point.type][level])
        ]
        reaching = [point.scores[level] for point in of_group if point.level >= level]
        negatives += len(below)
        cuts[group[0]] = find_cuts(below, reaching, fallback=base.thresholds[group[0]][level])
    refuses = _refuses(base, level)
    budget = max(0, refusals) if refuses else math.floor(goal.false_cautions * negatives)
    exchange = goal.refusal_exchange if refuses else goal.caution_exchange
    chosen = allocate_budget(cuts, budget, exchange)
    for group in groups:
        for name in group:
            thresholds[name][level] = chosen[group[0]].threshold


def _is_negative(point: _Point, level: int, action: Action) -> bool:
    """Whether flagging a sample at a level is a false alarm; a refusal is one only if the sample deserves an answer."""
    return point.deserves_answer if action is Action.REFUSE else point.level < level


def _count_decisions(policy: Policy, duties: Sequence[Duty], decided: Sequence[JudgedVariant | None]) -> Calibration:
    """Count a policy's decisions on the split; no verdict counts as a refusal."""
    decisions = [Decision.REFUSED if entry is None else entry.verdict.decision for entry in decided]
    both = list(zip(duties, decisions, strict=True))
    answerable = [decision for duty, decision in both if duty in (Duty.ANSWER, Duty.CARE)]
    refusable = [decision for duty, decision in both if duty is Duty.REFUSE]
    harmless = [decision for duty, decision in both if duty is Duty.ANSWER]
    return Calibration(
        policy=policy,
        pairs=len(duties),
        answerable=len(answerable),
        false_refusals=answerable.count(Decision.REFUSED),
        refusable=len(refusable),
        missed_refusals=sum(decision is not Decision.REFUSED for decision in refusable),
        harmless=len(harmless),
        false_cautions=harmless.count(Decision.CAUTIONED),
    )
