"""Choosing a policy's thresholds: as few misses as a small share of false alarms allows.

For each level k, from the worst down, each risk type t gets the threshold on s_k at which a labelled split is decided
best. Negatives may be flagged at k only up to a share of them; that budget is spent where it avoids most misses
(``thresholds``). Knows the guard's scores and nothing of replies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from safety_core.data.samples import Sample, read_jsonl
from safety_core.engine.guard import Guard
from safety_core.engine.judging.variant_decision import Reading
from safety_core.engine.messages import GuardLimits
from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.threshold_search import Cut, allocate, frontier
from safety_core.evaluation.scoring.guard_scores import Readings, chunks, judge, score_chunk
from safety_core.evaluation.scoring.reply_kinds import Duty, duty_of
from safety_core.model.checkpoint.checkpoint import POLICY_FILE, load_checkpoint, update_policy
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Action, Decision, Policy
from safety_core.taxonomy import Taxonomy

CHUNK, BATCH = 512, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationGoal:
    """What the thresholds are chosen for.

    Raises:
        ConfigError: a share is not within [0, 1] or the exchange is negative.
    """

    false_refusals: float = 0.01
    """Share of the pairs that deserve an answer which may be refused."""

    false_cautions: float = 0.01
    """Share of the pairs below a level that is answered with caution which may be flagged at it."""

    refusal_exchange: float = 0.5
    """What one false refusal costs in misses: within the budget, at most 1/exchange of them are accepted for one miss
    avoided. 0 spends the whole budget wherever it avoids a single miss, and so chases outliers."""

    caution_exchange: float = 1.0
    """The same for false cautions."""

    def __post_init__(self) -> None:
        for name in ("false_refusals", "false_cautions"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"calibration.{name}: a share from 0 to 1 is needed, got {getattr(self, name)}")
        if self.refusal_exchange < 0 or self.caution_exchange < 0:
            raise ConfigError("calibration: an exchange must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A calibrated policy and how it does on the split it was calibrated on."""

    policy: Policy
    """The policy, thresholds replaced."""

    pairs: int
    """Pairs in the split."""

    answerable: int
    """Pairs that deserve an answer."""

    false_refusals: int
    """How many of those are refused."""

    refusable: int
    """Pairs of the worst level."""

    missed_refusals: int
    """How many of those are not refused."""

    harmless: int
    """Pairs of level 0."""

    false_cautions: int
    """How many of those are answered with caution."""

    def tally(self) -> dict[str, int]:
        """Everything but the policy."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "policy"}


def calibrate_checkpoint(
    checkpoint: Path, data: Path, *, goal: CalibrationGoal | None = None, device: str = "cpu", write: bool = True
) -> Calibration:
    """Calibrate a checkpoint's own policy on a JSONL split; rewrites ``policy.json`` and the manifest with it.

    Args:
        checkpoint: directory of the checkpoint.
        data: labelled samples, none of which the modules were trained on.
        goal: what the thresholds are chosen for.
        device: where the head runs.
        write: whether to put the policy into the checkpoint.

    Raises:
        CheckpointError: the checkpoint is damaged or untrained.
        SampleError: the split is malformed.
        ConfigError: the split has no pair that deserves an answer, or none of the worst level.
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
    """Thresholds for ``base`` by the model's scores on samples; actions, enabled types and texts stay.

    Raises:
        ConfigError: no sample deserves an answer, or none is of the worst level.
        SampleError: a picture cannot be read.
    """
    guard = Guard(model, base, limits=GuardLimits(tower_batch=BATCH))
    readings = [entry for chunk in chunks(model, samples, CHUNK) for entry in score_chunk(guard, chunk, BATCH)]
    return calibrate_scores(model.taxonomy, base, samples, readings, goal=goal)


def calibrate_scores(
    taxonomy: Taxonomy,
    base: Policy,
    samples: Sequence[Sample],
    readings: Sequence[Readings],
    *,
    goal: CalibrationGoal | None = None,
) -> Calibration:
    """:func:`calibrate` on scores that are there already."""
    goal = CalibrationGoal() if goal is None else goal
    duties = [duty_of(sample.label.level, len(taxonomy.levels)) for sample in samples]
    if Duty.REFUSE not in duties or not {Duty.ANSWER, Duty.CARE} & set(duties):
        raise ConfigError("calibration needs samples of the worst level and samples that deserve an answer")
    judged = [judge(base, taxonomy, entry) for entry in readings]
    points = [
        _Point(entry.verdict.type, entry.verdict.level_scores, sample.label.level, duty)
        for entry, sample, duty in zip(judged, samples, duties, strict=True)
        if entry is not None and entry.scores is not None and entry.verdict.level_scores
    ]
    thresholds = {name: dict(levels) for name, levels in base.thresholds.items()}
    for level in range(len(taxonomy.levels) - 1, 0, -1):
        _choose_level(level, points, thresholds, base, goal)
        # What is flagged at this level stays so, whatever the thresholds below.
        points = [point for point in points if point.scores[level] < thresholds[point.type][level]]
    policy = replace(base, thresholds=thresholds)
    return _tally(policy, duties, [judge(policy, taxonomy, entry) for entry in readings])


@dataclass(frozen=True, slots=True)
class _Point:
    """One sample as thresholds see it."""

    type: str
    scores: Mapping[int, float]
    level: int
    duty: Duty


def _choose_level(
    level: int,
    points: Sequence[_Point],
    thresholds: dict[str, dict[int, float]],
    base: Policy,
    goal: CalibrationGoal,
) -> None:
    """Set every enabled type's threshold on s_k for one level k."""
    frontiers: dict[str, list[Cut]] = {}
    negatives = 0
    for name in sorted(base.enabled):
        mine = [point for point in points if point.type == name]
        below = [point.scores[level] for point in mine if _negative(point, level, base.actions[name][level])]
        reaching = [point.scores[level] for point in mine if point.level >= level]
        negatives += len(below)
        frontiers[name] = frontier(below, reaching, fallback=base.thresholds[name][level])
    refuses = any(base.actions[name][level] is Action.REFUSE for name in base.enabled)
    share = goal.false_refusals if refuses else goal.false_cautions
    exchange = goal.refusal_exchange if refuses else goal.caution_exchange
    for name, cut in allocate(frontiers, math.floor(share * negatives), exchange).items():
        thresholds[name][level] = cut.threshold


def _negative(point: _Point, level: int, action: Action) -> bool:
    """Whether flagging a sample at a level is a false alarm; for a refusal, only where an answer was due."""
    return point.duty in (Duty.ANSWER, Duty.CARE) if action is Action.REFUSE else point.level < level


def _tally(policy: Policy, duties: Sequence[Duty], judged: Sequence[Reading | None]) -> Calibration:
    """What a policy does to the split, by its real decisions; no verdict is a refusal."""
    decisions = [Decision.REFUSED if entry is None else entry.verdict.decision for entry in judged]
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
