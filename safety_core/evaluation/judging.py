"""The guard's judgement of many samples at once: what ``engine.guard`` does for one request, in batches.

Every picture goes through the tower once; a prompt is read raw and normalised where these differ, and the worse reading
decides; the scores stay at hand, so that calibration can try other policies on them. A test compares decisions, hints
and replies with the guard's own. Knows nothing of suites, replies or figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from safety_core.data.collate import table_of
from safety_core.data.samples import Sample
from safety_core.errors import PromptError
from safety_core.evaluation.features import KeptFeatures, SampleEncoder
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision import VisionFeatures
from safety_core.policy import Policy, Verdict, decide_worst
from safety_core.prompts import Turn, readings
from safety_core.taxonomy import Taxonomy
from safety_core.types import PairScores, RiskScores

Turns = tuple[Turn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some samples with the features of their pictures, which live no longer than the chunk."""

    samples: Sequence[Sample]
    """The samples."""

    places: Sequence[tuple[int, ...]]
    """For each sample, the rows of its pictures in ``vision``."""

    vision: VisionFeatures | None
    """Features of every picture of the chunk, once; None where there is none."""

    def select(self, indices: Sequence[int]) -> tuple[VisionFeatures | None, list[int]]:
        """Features of some samples' pictures in order, and how many belong to each sample."""
        rows = [place for index in indices for place in self.places[index]]
        vision = self.vision[rows] if self.vision is not None and rows else None
        return vision, [len(self.places[index]) for index in indices]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What the head said about one sample, reading by reading of its prompt."""

    turns: tuple[Turns, ...]
    """The readings: normalised and raw, or the one that there is."""

    pairs: tuple[PairScores, ...]
    """The scores of each; empty where a reading is longer than the model accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The decision about one sample."""

    turns: Turns
    """The reading of the prompt that decided, and that the language model gets."""

    verdict: Verdict
    """The decision."""

    scores: RiskScores | None
    """The scores it came from; None where there is no verdict."""


def chunks(
    model: SafeLlava, samples: Sequence[Sample], size: int, cache: KeptFeatures | None = None
) -> Iterator[Chunk]:
    """Cut samples into chunks of ``size`` with their pictures encoded.

    Raises:
        SampleError: a picture cannot be read, or is transparent.
    """
    table = table_of(samples)
    encoder = SampleEncoder(model, table, KeptFeatures(0) if cache is None else cache)
    for start in range(0, len(samples), size):
        rows = table.rows[start : start + size]
        place = {row: index for index, row in enumerate(dict.fromkeys(row for images in rows for row in images))}
        yield Chunk(
            samples=samples[start : start + size],
            places=[tuple(place[row] for row in images) for images in rows],
            vision=encoder.features(list(place)),
        )


def score_chunk(model: SafeLlava, chunk: Chunk, batch_size: int) -> list[Readings]:
    """What the head says about every sample of a chunk."""
    turns_of = [readings(sample.turns) for sample in chunk.samples]
    asked: list[tuple[int, list[int]]] = []
    for index, turns in enumerate(turns_of):
        try:
            asked += [(index, model.prompts.head_ids(reading)) for reading in turns]
        except PromptError:
            continue
    said: list[list[PairScores]] = [[] for _ in turns_of]
    for start in range(0, len(asked), batch_size):
        batch = asked[start : start + batch_size]
        vision, counts = chunk.select([index for index, _ in batch])
        for (index, _), pair in zip(batch, model.score(vision, counts, [ids for _, ids in batch]), strict=True):
            said[index].append(pair)
    return [Readings(turns=turns, pairs=tuple(pairs)) for turns, pairs in zip(turns_of, said, strict=True)]


def judge(policy: Policy, taxonomy: Taxonomy, said: Readings) -> Judged | None:
    """Decide by the worst reading; None where none could be scored."""
    judged = [
        Judged(turns=turns, verdict=verdict, scores=scores)
        for turns, pair in zip(said.turns, said.pairs, strict=bool(said.pairs))
        for verdict, scores in [decide_worst(policy, taxonomy, pair)]
    ]
    return max(judged, key=lambda entry: entry.verdict.gravity, default=None)
