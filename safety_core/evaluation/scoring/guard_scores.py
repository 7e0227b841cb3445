"""The guard's judgement of many samples at once, through the guard itself.

Every picture goes through the tower once for all rows of a table; the scores stay at hand, so that calibration can try
other policies on them. Knows nothing of suites, replies or figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from safety_core.data.collate import table_of
from safety_core.data.samples import Sample
from safety_core.engine.guard import Guard
from safety_core.engine.judging.scorer import ReadyRequest
from safety_core.engine.judging.variant_decision import Reading, Turns, worst_reading
from safety_core.errors import PromptError
from safety_core.evaluation.scoring.vision_features import KeptFeatures, SampleEncoder
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.policy import Policy
from safety_core.scores import PairScores
from safety_core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some samples with the features of their pictures, which live no longer than the chunk."""

    samples: Sequence[Sample]
    """The samples."""

    places: Sequence[tuple[int, ...]]
    """For each sample, the rows of its pictures in ``vision``."""

    vision: VisionFeatures | None
    """Features of every picture of the chunk, once; None where there is none."""

    def pictures(self, index: int) -> VisionFeatures | None:
        """Features of one sample's pictures, in order; None where it has none."""
        places = self.places[index]
        return self.vision[list(places)] if self.vision is not None and places else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What the head said about one sample, reading by reading of its prompt."""

    turns: tuple[Turns, ...]
    """The readings: normalised and raw, or the one that there is."""

    pairs: tuple[PairScores, ...]
    """The scores of each; no reading and no scores where the prompt is longer than the model accepts."""


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


def score_chunk(guard: Guard, chunk: Chunk, batch_size: int) -> list[Readings]:
    """What the head says about every sample of a chunk."""
    ready: dict[int, ReadyRequest] = {}
    for index, sample in enumerate(chunk.samples):
        try:
            ready[index] = guard.prepare_seen(sample.turns, chunk.pictures(index))
        except PromptError:
            continue
    said = [Readings(turns=(), pairs=())] * len(chunk.samples)
    indices = list(ready)
    for start in range(0, len(indices), batch_size):
        batch = indices[start : start + batch_size]
        for index, scored in zip(batch, guard.score([ready[index] for index in batch]), strict=True):
            turns = tuple(turns for turns, _ in scored.ready.readings)
            said[index] = Readings(turns=turns, pairs=scored.pairs)
    return said


def judge(policy: Policy, taxonomy: Taxonomy, said: Readings) -> Reading | None:
    """The reading that decides; None where none could be scored."""
    return worst_reading(policy, taxonomy, said.turns, said.pairs) if said.pairs else None
