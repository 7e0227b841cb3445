"""Computes the average features of many samples' texts and images, as the guard computes them for a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from safety_core.data.sample_images import build_image_table
from safety_core.data.samples import Sample
from safety_core.errors import PromptError
from safety_core.evaluation.scoring.vision_features import SampleEncoder, VisionFeatureCache
from safety_core.inputs.conversation import create_text_variants
from safety_core.model.modules.novelty import average_images, average_texts
from safety_core.model.prompt_reader import ReadPrompts
from safety_core.model.safe_llava import SafeLlava

_BATCH = 32

Report = Callable[[int, int], object]
"""Receives the number of inputs that are done, and of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageFeatures:
    """Average features of B inputs of one kind."""

    values_BD: Tensor
    """float32, on the CPU."""

    lengths: tuple[int, ...]
    """Positions of each: tokens of a text, 1 for an image."""


@torch.inference_mode()
def average_sample_texts(model: SafeLlava, samples: Sequence[Sample], report: Report) -> AverageFeatures:
    """Average the states of the samples' distinct texts; texts that are too long or empty are left out."""
    distinct: dict[tuple[int, ...], None] = {}
    for sample in samples:
        try:
            # The variant that the guard reads first.
            ids = model.prompts.encode_user_words(create_text_variants(sample.turns)[0]) if sample.turns else []
        except PromptError:
            continue
        if ids:
            distinct[tuple(ids)] = None
    # Texts of similar length are read together; each text's place does not matter to a distribution.
    texts = sorted(distinct, key=len)
    parts = []
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        read: ReadPrompts = {}
        for _ in model.prompt_reader.read_in_passes(batch, read):
            pass
        parts.append(average_texts(model.prompt_reader.get_states(batch, read)).cpu())
        report(start + len(batch), len(texts))
    values_BD = torch.cat(parts) if parts else torch.empty(0, model.dims.llm_width)
    return AverageFeatures(values_BD=values_BD, lengths=tuple(map(len, texts)))


@torch.inference_mode()
def average_sample_images(model: SafeLlava, samples: Sequence[Sample], report: Report) -> AverageFeatures:
    """Average the features of the samples' distinct images; raises SampleError if one cannot be read."""
    table = build_image_table(samples)
    encoder = SampleEncoder(model, table, VisionFeatureCache(0))
    rows, parts = list(range(len(table.refs))), []
    for start in range(0, len(rows), _BATCH):
        features = encoder.encode(rows[start : start + _BATCH])
        assert features is not None, "a batch holds at least one image"
        parts.append(average_images(features.layers).cpu())
        report(min(start + _BATCH, len(rows)), len(rows))
    values_BD = torch.cat(parts) if parts else torch.empty(0, model.dims.vision_width)
    return AverageFeatures(values_BD=values_BD, lengths=(1,) * len(rows))
