"""Losses of the language model's training: answers to questions, and names of patches.

Shapes: P pictures · N patches · V tower width · A answer tokens · W vocabulary.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlavaForConditionalGeneration

from safety_core.nano.pretrain.language.rows import QuestionRow, embed_rows
from safety_core.nano.pretrain.language.standardisation import FeatureStandardisation
from safety_core.training.losses.packing import predict_answers


def compute_answer_loss(
    model: LlavaForConditionalGeneration,
    batch: Sequence[QuestionRow],
    features_PNV: npt.NDArray[np.float16],
    standardise: FeatureStandardisation | None = None,
) -> tuple[Tensor, float]:
    """Compute the mean cross-entropy over answer tokens, and the share of them that are predicted correctly."""
    logits_AW, label_A = predict_answers(model, *embed_rows(model, batch, features_PNV, standardise))
    return F.cross_entropy(logits_AW, label_A), (logits_AW.argmax(-1) == label_A).float().mean().item()


def compute_naming_loss(
    model: LlavaForConditionalGeneration,
    batch: Sequence[QuestionRow],
    features_PNV: npt.NDArray[np.float16],
    standardise: FeatureStandardisation,
) -> Tensor:
    """Compute the mean cross-entropy of the word embeddings, given each patch's projected features; 0 without names."""
    named = [one for one in batch if one.names]
    if not named:
        return torch.zeros((), device=model.device)
    names = torch.tensor([one.names for one in named], device=model.device)
    shown = names != -100
    raw = torch.from_numpy(features_PNV[[one.picture or 0 for one in named]]).to(model.device).float()
    projected = model.model.multi_modal_projector(standardise(raw))[shown].float()
    logits = F.linear(F.rms_norm(projected, projected.shape[-1:]), model.lm_head.weight)
    return F.cross_entropy(logits.float(), names[shown])
