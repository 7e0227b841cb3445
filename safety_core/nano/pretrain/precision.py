"""Trains from nothing in mixed precision where the processor multiplies 16-bit numbers faster than 32-bit ones.

Matrix products run in bfloat16; weights, norms, sums and attention stay in 32 bit, since the CPU's attention kernel is
several times slower backwards in bfloat16. Elsewhere everything stays in 32 bit. Knows nothing of what is trained.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

_ATTENTION = "sdpa_in_32_bit"


def _attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    with torch.autocast(query.device.type, enabled=False):
        found: tuple[Tensor, None] = sdpa_attention_forward(
            module, query.float(), key.float(), value.float(), attention_mask, **options
        )
    return found


def has_bfloat16(device: str) -> bool:
    """Whether products in bfloat16 are faster than in 32 bit there."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())


@contextmanager
def attention_in_32_bit(*models: PreTrainedModel) -> Iterator[None]:
    """Let models attend in 32 bit inside ``mixed``; afterwards they attend as before."""
    AttentionInterface.register(_ATTENTION, _attention)
    before = [model.config._attn_implementation for model in models]
    for model in models:
        model.set_attn_implementation(_ATTENTION)
    try:
        yield
    finally:
        for model, implementation in zip(models, before, strict=True):
            model.set_attn_implementation(implementation)


def mixed(device: str) -> torch.autocast:
    """A context in which matrix products run in bfloat16 where that is faster."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=has_bfloat16(device))
