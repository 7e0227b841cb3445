"""Scores many samples with a guard, in chunks.

Every image is encoded once for all systems with the same tower; the scores are kept, so that calibration can apply
other policies to them. Knows nothing of suites, replies or figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from safety_core.data.sample_images import build_image_table
from safety_core.data.samples import Sample
from safety_core.engine.guard import Guard
from safety_core.engine.judging.model_input import ModelInput
from safety_core.engine.judging.variant_decision import JudgedVariant, Turns, find_worst_variant
from safety_core.errors import PromptError
from safety_core.evaluation.scoring.picture_readings import read_images
from safety_core.evaluation.scoring.vision_features import SampleEncoder, VisionFeatureCache
from safety_core.lettering.bounded_reader import BoundedReader, PictureReading
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.policy import Policy
from safety_core.scores import PairScores
from safety_core.taxonomy import Taxonomy

_NO_SCORES = PairScores(joint=None, per_image=(), image=None, text=None)
"""Scores that lead to a refusal without a verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some samples with the features of their images, which are freed with the chunk."""

    samples: Sequence[Sample]
    """The samples."""

    image_rows: Sequence[tuple[int, ...]]
    """For each sample, the rows of its images in ``vision``."""

    vision: VisionFeatures | None
    """Features of every distinct image of the chunk; None for a chunk without images."""

    readings: Sequence[PictureReading] = ()
    """Lettering of every distinct image of the chunk; empty if it is not read."""

    def select_images(self, index: int) -> VisionFeatures | None:
        """Select the features of one sample's images, in order; None for a sample without images."""
        rows = self.image_rows[index]
        return self.vision[list(rows)] if self.vision is not None and rows else None

    def select_readings(self, index: int) -> list[PictureReading]:
        """Select the lettering of one sample's images, in order; empty if it is not read."""
        return [self.readings[row] for row in self.image_rows[index]] if self.readings else []


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantScores:
    """The head's scores of one sample, for each text variant of its prompt."""

    turns: tuple[Turns, ...]
    """The variants: normalised and raw, or the only one; none where the prompt is longer than the model accepts."""

    pairs: tuple[PairScores, ...]
    """The scores of each variant."""


def encode_chunks(
    model: SafeLlava,
    samples: Sequence[Sample],
    size: int,
    cache: VisionFeatureCache | None = None,
    reader: BoundedReader | None = None,
) -> Iterator[Chunk]:
    """Cut samples into chunks, encode their images, and read the lettering in them.

    Args:
        model: encodes the images.
        samples: the samples.
        size: samples of a chunk.
        cache: features that are kept; None keeps none.
        reader: reads lettering; None if it is not read.

    Raises:
        SampleError: an image cannot be read, or is transparent.
    """
    fill = get_pad_colour(model.image_processor)
    table = build_image_table(samples)
    encoder = SampleEncoder(model, table, VisionFeatureCache(0) if cache is None else cache)
    for start in range(0, len(samples), size):
        rows = table.rows[start : start + size]
        place = {row: index for index, row in enumerate(dict.fromkeys(row for images in rows for row in images))}
        yield Chunk(
            samples=samples[start : start + size],
            image_rows=[tuple(place[row] for row in images) for images in rows],
            vision=encoder.encode(list(place)),
            readings=() if reader is None else read_images(reader, [table.refs[row] for row in place], fill),
        )


def score_chunk(guard: Guard, chunk: Chunk, batch_size: int) -> list[VariantScores]:
    """Score every sample of a chunk; a sample whose lettering could not be read has scores without a verdict."""
    ready: dict[int, ModelInput] = {}
    for index, sample in enumerate(chunk.samples):
        try:
            ready[index] = guard.prepare_encoded(sample.turns, chunk.select_images(index), chunk.select_readings(index))
        except PromptError:
            continue
    scores = [VariantScores(turns=(), pairs=())] * len(chunk.samples)
    for index, prepared in ready.items():
        if not prepared.text_variants:
            scores[index] = VariantScores(turns=(chunk.samples[index].turns,), pairs=(_NO_SCORES,))
    indices = [index for index, prepared in ready.items() if prepared.text_variants]
    for start in range(0, len(indices), batch_size):
        batch = indices[start : start + batch_size]
        for index, scored in zip(batch, guard.score([ready[index] for index in batch]), strict=True):
            turns = tuple(turns for turns, _ in scored.model_input.text_variants)
            scores[index] = VariantScores(turns=turns, pairs=scored.pairs)
    return scores


def apply_policy(policy: Policy, taxonomy: Taxonomy, scores: VariantScores) -> JudgedVariant | None:
    """Apply a policy to the scores of a sample and return the variant that decides; None if none was scored."""
    return find_worst_variant(policy, taxonomy, scores.turns, scores.pairs) if scores.pairs else None
