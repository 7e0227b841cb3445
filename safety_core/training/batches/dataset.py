"""The batches of a run as a data set: builds each planned batch with the weights of its losses.

Hint dropout depends on seed, epoch and sample alone, so that a resumed run needs no random state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import Dataset

from safety_core.data.samples import RiskLabel
from safety_core.inputs.prompt_encoding import EncodedPrompt
from safety_core.training.batches.corpus import Corpus, Surface
from safety_core.training.batches.plan import MicroBatch
from safety_core.training.batches.vision_sources import VisionInput


@dataclass(frozen=True, slots=True)
class HeadRow:
    """One row of the head's input: images, texts and the label to learn."""

    images: tuple[int, ...]
    """Rows of the batch's images."""

    ids: tuple[int, ...]
    """Token ids of the user's texts."""

    label: RiskLabel


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Input of one forward pass; the weights make losses means over the whole optimizer step."""

    vision: VisionInput | None
    """The distinct images of the batch."""

    head: Mapping[Surface, Mapping[HeadRow, float]]
    """Rows for the head by surface, with their weights; equal rows are merged."""

    encoded: tuple[EncodedPrompt, ...]
    """Prompts with their answers for the language model."""

    images: tuple[tuple[int, ...], ...]
    """Rows of the batch's images for each prompt."""

    lm_weight: float
    """Factor of the summed loss of the answer tokens."""

    def to(self, device: torch.device, non_blocking: bool = False) -> "TrainingBatch":
        """Copy the batch to a device; called by accelerate."""
        return self if self.vision is None else replace(self, vision=self.vision.to(device))


@dataclass(frozen=True, slots=True)
class _LossWeights:
    """Factors of the summed losses of one batch."""

    answer_token: float
    request: float
    surfaces: Mapping[Surface, float]


class BatchDataset(Dataset[TrainingBatch]):
    """The run's batches by number, each built on access.

    Args:
        corpus: samples and images.
        planned: the batches of the run.
        accumulate: batches in one optimizer step.
        surface_weight: weight of a surface's mean loss relative to the whole request's.
        hint_dropout: share of hints to leave out.
        seed: seed of the hint dropout.
    """

    def __init__(
        self,
        corpus: Corpus,
        planned: Sequence[MicroBatch],
        *,
        accumulate: int = 1,
        surface_weight: float = 0.5,
        hint_dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.corpus, self.planned, self.accumulate = corpus, planned, accumulate
        self.surface_weight, self.hint_dropout, self.seed = surface_weight, hint_dropout, seed

    def __len__(self) -> int:
        return len(self.planned)

    def __getitem__(self, number: int) -> TrainingBatch:
        corpus, batch = self.corpus, self.planned[number]
        rows = [corpus.table.rows[index] for index in batch.samples]
        distinct = sorted({row for sample_rows in rows for row in sample_rows})
        place = {row: position for position, row in enumerate(distinct)}
        images = [tuple(place[row] for row in sample_rows) for sample_rows in rows]
        weights = self._compute_weights(number)
        answered = [place for place, index in enumerate(batch.samples) if corpus.answer_tokens[index]]
        return TrainingBatch(
            vision=corpus.source.fetch(distinct) if distinct else None,
            head=self._build_head_rows(batch, images, weights),
            encoded=tuple(
                corpus.encode_prompt(index, hinted=not self._should_drop_hint(index, batch.epoch))
                for index in (batch.samples[place] for place in answered)
            ),
            images=tuple(images[place] for place in answered),
            lm_weight=weights.answer_token,
        )

    def _build_head_rows(
        self, batch: MicroBatch, images: Sequence[tuple[int, ...]], weights: _LossWeights
    ) -> dict[Surface, dict[HeadRow, float]]:
        """Build the head's rows by surface; ``images`` holds the batch's image rows of each sample."""
        head: dict[Surface, dict[HeadRow, float]] = {"joint": {}, "image": {}, "text": {}}
        if not self.corpus.train_head:
            return head
        for index, image_rows in zip(batch.samples, images, strict=True):
            for target in self.corpus.list_targets(index):
                weight = weights.request if target.is_whole else weights.surfaces[target.surface]
                if weight:
                    ids = self.corpus.encode_texts(index) if target.surface != "image" else ()
                    row = HeadRow(image_rows if target.surface != "text" else (), ids, target.label)
                    rows = head[target.surface]
                    rows[row] = rows.get(row, 0.0) + weight
        return head

    def _compute_weights(self, number: int) -> _LossWeights:
        """Compute weights that make the loss of an optimizer step a mean over all of its batches.

        The trainer divides each batch's loss by the number of batches in the step; the weights multiply by it.
        """
        first = number - number % self.accumulate
        step = self.planned[first : first + self.accumulate]
        indices = [index for batch in step for index in batch.samples]
        tokens = int(self.corpus.answer_tokens[indices].sum())
        counts: dict[Surface, int] = {"joint": 0, "image": 0, "text": 0}
        for target in (target for index in indices for target in self.corpus.list_targets(index)):
            counts[target.surface] += not target.is_whole
        return _LossWeights(
            answer_token=len(step) / max(1, tokens),
            request=len(step) / len(indices),
            surfaces={surface: self.surface_weight * len(step) / max(1, count) for surface, count in counts.items()},
        )

    def _should_drop_hint(self, index: int, epoch: int) -> bool:
        return bool(np.random.default_rng((self.seed, epoch, index)).random() < self.hint_dropout)
