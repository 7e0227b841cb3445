"""Proposes labels for the records of a file that have none, and writes them on a sheet, the most uncertain first.

The proposal is what the scores of the head say that decide about the record: the most probable level and, above level
0, the most probable risky type. Uncertainty is the entropy of these scores: that of the types and that of the levels,
each divided by the largest possible one, on average. Records without a verdict have no proposal and uncertainty 1.

Only the rows that are written are kept. Knows no model: scores come from a function.
"""

import heapq
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from safety_core.data.labelling.drafts import Draft, stream_drafts
from safety_core.data.labelling.label_sheet import Proposal, shorten_text, write_sheet
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import ConfigError, SampleError
from safety_core.scores import RiskScores
from safety_core.taxonomy import Taxonomy

SampleScorer = Callable[[Sequence[Sample]], Sequence[RiskScores | SampleError | None]]
"""Scores samples: the scores that decide, None without a verdict, or the error of a sample that cannot be read."""

Report = Callable[[str, int, int], None]
"""Receives a stage, the steps that are done, and all steps."""

BATCH = 32
"""Records that are scored at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """What was proposed."""

    written: int
    """Rows of the sheet."""

    unlabelled: int
    """Records without a label that were scored."""

    labelled: int
    """Records with a label, for which nothing is proposed."""

    without_verdict: int
    """Scored records without a verdict."""

    skipped: tuple[SampleError, ...]
    """Errors of malformed records, and of those whose image cannot be read."""


def suggest_labels(
    data: Path,
    out: Path,
    taxonomy: Taxonomy,
    score: SampleScorer,
    *,
    limit: int = 1000,
    skip_bad: bool = False,
    report: Report = lambda stage, done, total: None,
) -> Suggestions:
    """Propose labels for the records of a file that have none.

    Args:
        data: JSONL file of records with and without labels.
        out: the sheet to write; it must not exist, because somebody may have worked on it.
        taxonomy: bounds of the labels.
        score: scores samples.
        limit: number of rows; the most uncertain records are proposed.
        skip_bad: skip malformed records instead of stopping.
        report: receives the progress.

    Raises:
        ConfigError: the sheet exists, or no record lacks a label.
        SampleError: the file cannot be read, or a record is malformed or its image unreadable.
    """
    if out.exists():
        raise ConfigError(f"{out}: it exists already")
    labelled, total, skipped = _count_drafts(data, taxonomy, skip_bad=skip_bad)
    if not total:
        raise ConfigError(f"{data}: no record lacks a label")
    ranked: list[tuple[float, int, Proposal]] = []
    done = without_verdict = 0
    for batch in _batch_unlabelled(data, taxonomy):
        for draft, scores in zip(batch, score([draft.sample for draft in batch]), strict=True):
            if isinstance(scores, SampleError):
                if not skip_bad:
                    raise scores
                skipped.append(scores)
                continue
            proposal = _propose(draft, scores, taxonomy, out.parent)
            without_verdict += scores is None
            entry = (proposal.uncertainty, -proposal.line, proposal)
            if len(ranked) < limit:
                heapq.heappush(ranked, entry)
            else:
                heapq.heappushpop(ranked, entry)
        done += len(batch)
        report("records", done, total)
    proposals = (proposal for *_, proposal in sorted(ranked, key=lambda entry: entry[:2], reverse=True))
    return Suggestions(
        written=write_sheet(out, proposals, taxonomy),
        unlabelled=total,
        labelled=labelled,
        without_verdict=without_verdict,
        skipped=tuple(skipped),
    )


def propose_label(scores: RiskScores, taxonomy: Taxonomy) -> RiskLabel:
    """Propose the most probable level and, above level 0, the most probable risky type."""
    level = max(range(len(scores.levels)), key=scores.levels.__getitem__)
    risky = [index for index in range(len(scores.types)) if index != taxonomy.safe_index]
    kind = taxonomy.safe_index if level == 0 else max(risky, key=scores.types.__getitem__)
    return RiskLabel(type=kind, level=level)


def compute_uncertainty(scores: RiskScores) -> float:
    """Compute the mean of the entropies of types and levels, each divided by the largest possible one, 0 to 1."""
    return (_compute_entropy(scores.types) + _compute_entropy(scores.levels)) / 2


def _compute_entropy(probabilities: Sequence[float]) -> float:
    entropy = -sum(p * math.log(p) for p in probabilities if p > 0)
    return min(1.0, entropy / math.log(len(probabilities)))


def _count_drafts(data: Path, taxonomy: Taxonomy, *, skip_bad: bool) -> tuple[int, int, list[SampleError]]:
    """Count records with and without a label, before anything is scored; raises the first error unless skipped."""
    labelled = unlabelled = 0
    errors: list[SampleError] = []
    for draft in stream_drafts(data, taxonomy):
        if isinstance(draft, SampleError):
            if not skip_bad:
                raise draft
            errors.append(draft)
        elif draft.is_labelled:
            labelled += 1
        else:
            unlabelled += 1
    return labelled, unlabelled, errors


def _batch_unlabelled(data: Path, taxonomy: Taxonomy) -> Iterator[list[Draft]]:
    batch: list[Draft] = []
    for draft in stream_drafts(data, taxonomy):
        if isinstance(draft, Draft) and not draft.is_labelled:
            batch.append(draft)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _propose(draft: Draft, scores: RiskScores | None, taxonomy: Taxonomy, folder: Path) -> Proposal:
    sample = draft.sample
    turns = sample.turns
    lines = [turn.text if len(turns) == 1 else f"{turn.role.upper()}: {turn.text}" for turn in turns]
    return Proposal(
        key=draft.compute_key(),
        line=sample.line,
        id=sample.id,
        uncertainty=1.0 if scores is None else compute_uncertainty(scores),
        label=None if scores is None else propose_label(scores, taxonomy),
        images=tuple(Path(os.path.relpath(image, folder)) for image in sample.images),
        text=shorten_text("\n".join(lines)),
    )
