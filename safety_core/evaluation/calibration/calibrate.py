"""Calibrates a checkpoint: scores a labelled split, chooses thresholds, and writes them.

Either with a guarantee (``certification``), which also recalibrates the scores, or by a search within budgets
(``budget_search``), without one and for the scores as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import Sample
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.judging.variant_decision import JudgedVariant
from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.budget_search import CalibrationGoal, Point, search_thresholds
from safety_core.evaluation.calibration.certification.certified_thresholds import (
    CertifiedThresholds,
    certify_thresholds,
    explain_abstention,
)
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.evaluation.calibration.scores.groups import find_groups
from safety_core.evaluation.calibration.scores.score_file import (
    StoredScores,
    read_scores,
    tabulate_scores,
    write_scores,
)
from safety_core.evaluation.scoring.guard_scores import VariantScores, apply_policy, encode_chunks, score_chunk
from safety_core.evaluation.scoring.picture_readings import create_sample_reader
from safety_core.evaluation.scoring.reply_kinds import Duty, determine_duty
from safety_core.model.checkpoint.checkpoint import (
    CARD_FILE,
    POLICY_FILE,
    SPEC_FILE,
    load_checkpoint,
    read_spec,
    update_policy,
    update_score_calibration,
)
from safety_core.model.checkpoint.sha256_manifest import check_manifest
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Decision, Policy
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import Taxonomy

CHUNK, BATCH = 512, 64

_UNSCORED_FILES = frozenset({POLICY_FILE, CARD_FILE, SPEC_FILE})
_UNSCORED_FIELDS = frozenset({"score_calibration", "provenance", "hints"})
"""Files of a checkpoint, and fields of its spec, on which raw scores do not depend."""


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
    """Search a checkpoint's thresholds within budgets, on a JSONL split; rewrites ``policy.json`` and the manifest.

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


def certify_checkpoint(
    checkpoint: Path,
    data: Path,
    promise: Promise,
    *,
    scores: Path | None = None,
    device: str = "cpu",
    write: bool = True,
) -> CertifiedThresholds:
    """Recalibrate a checkpoint's scores and choose its thresholds with a guarantee.

    The policy is written first: if the process is killed between the two files, thresholds that belong to less extreme
    scores meet the raw ones, and ``safevlm verify`` reports that the guarantee is for other scores.

    Args:
        checkpoint: directory of the checkpoint.
        data: labelled samples that the modules were not trained on.
        promise: the guarantee.
        scores: file of scores; read if it exists, and written otherwise.
        device: device of the head.
        write: whether to write policy, guarantee and recalibration into the checkpoint.

    Raises:
        CheckpointError: the checkpoint is damaged or untrained.
        SampleError: the split is malformed.
        ConfigError: the file of scores is of another checkpoint or of other data, nothing can be calibrated, or no
            thresholds have the guarantee although they were to be written: the guard would be switched off.
    """
    stored = load_or_compute_scores(checkpoint, data, scores=scores, device=device)
    spec = read_spec(checkpoint)
    base = load_policy(checkpoint / POLICY_FILE, spec.taxonomy)
    certified = certify_thresholds(stored.table, base, promise, data=stored.data)
    if write and certified.abstained:
        raise ConfigError(
            "calibration: nothing is written, because the guard would react to nothing: "
            + "; ".join(explain_abstention(certified))
        )
    if write:
        update_policy(checkpoint, certified.policy, certified.guarantee)
        update_score_calibration(checkpoint, certified.scores)
    return certified


def load_or_compute_scores(
    checkpoint: Path, data: Path, *, scores: Path | None = None, device: str = "cpu"
) -> StoredScores:
    """Read the raw scores of a split from a file, or compute them and write the file; arguments and errors are those of
    :func:`certify_checkpoint`."""
    digest, sha256 = digest_scored_parts(checkpoint), _hash_data(data, read_spec(checkpoint).taxonomy)
    if scores is not None and scores.is_file():
        stored = read_scores(scores)
        if (stored.checkpoint, stored.data) != (digest, sha256):
            raise ConfigError(f"{scores}: the scores are of another checkpoint or of other data; remove the file")
        return stored
    model = load_checkpoint(checkpoint, device=device)
    model.score_calibration = ScoreCalibration()  # what is fitted are the raw scores
    samples = read_jsonl(data, model.taxonomy).samples
    base = load_policy(checkpoint / POLICY_FILE, model.taxonomy)
    variants = [entry.pairs for entry in _score_samples(model, base, samples)]
    stored = StoredScores(
        table=tabulate_scores(model.taxonomy, samples, variants, find_groups(samples)),
        policy=base,
        checkpoint=digest,
        data=sha256,
    )
    if scores is not None:
        write_scores(scores, stored, [sample.id for sample in samples])
    return stored


def digest_scored_parts(checkpoint: Path) -> str:
    """Compute a digest of everything in a checkpoint that its raw scores depend on."""
    sums = {name: digest for name, digest in check_manifest(checkpoint).items() if name not in _UNSCORED_FILES}
    spec = {name: value for name, value in read_spec(checkpoint).to_dict().items() if name not in _UNSCORED_FIELDS}
    return hashlib.sha256(json.dumps([sums, spec], sort_keys=True).encode()).hexdigest()


def _hash_data(data: Path, taxonomy: Taxonomy) -> str:
    """Compute the SHA-256 of a split: of its records and of every image."""
    samples = read_jsonl(data, taxonomy).samples
    digest = hashlib.sha256(data.read_bytes())
    for image in sorted({image for sample in samples for image in sample.images}):
        digest.update(hashlib.sha256(image.read_bytes()).digest())
    return digest.hexdigest()


def _score_samples(model: SafeLlava, base: Policy, samples: Sequence[Sample]) -> list[VariantScores]:
    guard = Guard(model, base, limits=GuardLimits(max_batch=BATCH))
    chunks = encode_chunks(model, samples, CHUNK, reader=create_sample_reader(model.reader))
    return [entry for chunk in chunks for entry in score_chunk(guard, chunk, BATCH)]


def calibrate(
    model: SafeLlava, base: Policy, samples: Sequence[Sample], *, goal: CalibrationGoal | None = None
) -> Calibration:
    """Choose thresholds for ``base`` from the model's scores of samples; actions, enabled types and texts are kept.

    Raises:
        ConfigError: no sample deserves an answer, no sample is of the worst level, or the reader is not installed.
        SampleError: an image cannot be read.
    """
    return calibrate_scores(model.taxonomy, base, samples, _score_samples(model, base, samples), goal=goal)


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
        Point(entry.verdict.type, entry.verdict.level_scores, sample.label.level, duty)
        for entry, sample, duty in zip(decisions, samples, duties, strict=True)
        if entry is not None and entry.scores is not None and entry.verdict.level_scores
    ]
    thresholds = search_thresholds(points, base, goal)
    policy = replace(base, thresholds=thresholds)
    return _count_decisions(policy, duties, [apply_policy(policy, taxonomy, entry) for entry in scores])


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
