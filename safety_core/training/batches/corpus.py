"""The samples of a run, ready to be batched: their lengths, groups, prompts and labels.

The model serves only as tokenizer and taxonomy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from safety_core.data.sample_images import ImageTable
from safety_core.data.samples import RiskLabel, Sample
from safety_core.inputs.prompt_encoding import EncodedPrompt
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.batches.encoding import count_positions, encode_prompt, encode_texts
from safety_core.training.batches.vision_sources import VisionSource

Surface = Literal["joint", "image", "text"]
"""Inputs of the head from one request: images and texts, or one of the two."""


@dataclass(frozen=True, slots=True)
class HeadTarget:
    """One label that the head learns from a sample."""

    surface: Surface
    """Inputs of the head."""

    label: RiskLabel

    is_whole: bool
    """Whether the head reads the whole request, or only one of its surfaces."""


class Corpus:
    """Samples with their images, and the token counts for the plan of batches and the weights of losses.

    Args:
        model: the model whose tokenizer and hints apply.
        samples: the training samples.
        table: the samples' images.
        source: the images' pixels or features.
        train_head: whether batches carry rows for the head.
        train_lm: whether batches carry prompts for the language model.

    Raises:
        SampleError: a prompt is too long for the model, or does not fit its context with images and answer.
    """

    def __init__(
        self,
        model: SafeLlava,
        samples: Sequence[Sample],
        table: ImageTable,
        source: VisionSource,
        *,
        train_head: bool,
        train_lm: bool,
    ) -> None:
        self.model, self.samples, self.table, self.source = model, samples, table, source
        self.train_head, self.train_lm = train_head, train_lm
        self.answer_tokens = np.zeros(len(samples), dtype=np.int64)
        lengths = np.zeros(len(samples), dtype=np.int64)
        for index, sample in enumerate(samples):
            if train_lm and sample.answer is not None:
                prompt = self.encode_prompt(index, hinted=True)
                assert prompt.answer_span is not None
                self.answer_tokens[index] = prompt.answer_span[1] - prompt.answer_span[0]
                lengths[index] = count_positions(model, prompt)
            else:
                lengths[index] = len(self.encode_texts(index)) + model.dims.patches * len(sample.images)
        self.lengths: list[int] = lengths.tolist()

    @property
    def groups(self) -> list[list[int]]:
        """Indices of the samples that share their images; samples without an image are groups of one."""
        groups: dict[object, list[int]] = {}
        for index, rows in enumerate(self.table.rows):
            groups.setdefault(rows or ("alone", index), []).append(index)
        return list(groups.values())

    def encode_texts(self, index: int) -> tuple[int, ...]:
        """Encode the user's texts for the head; empty if there are none."""
        return encode_texts(self.model, self.samples[index])

    def encode_prompt(self, index: int, *, hinted: bool) -> EncodedPrompt:
        """Encode the prompt as in serving, with its answer."""
        return encode_prompt(self.model, self.samples[index], hinted=hinted)

    def list_targets(self, index: int) -> list[HeadTarget]:
        """List the head's targets from a sample: the label of the whole request, and the labels of its surfaces."""
        sample = self.samples[index]
        has_images, has_texts = bool(sample.images), bool(sample.turns)
        surface: Surface = "joint" if has_images and has_texts else "image" if has_images else "text"
        targets = [HeadTarget(surface, sample.label, is_whole=True)]
        if surface == "joint" and sample.image_risk is not None:
            targets.append(HeadTarget("image", sample.image_risk, is_whole=False))
        if surface == "joint" and sample.text_risk is not None:
            targets.append(HeadTarget("text", sample.text_risk, is_whole=False))
        return targets
