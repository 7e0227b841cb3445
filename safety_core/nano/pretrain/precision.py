"""Mixed precision where the processor multiplies 16-bit numbers faster than 32-bit ones.

Matrix products run in bfloat16; weights, norms, sums and attention stay in 32 bit, since the CPU's attention kernel is
several times slower backwards in bfloat16. On other processors everything stays in 32 bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

_ATTENTION = "sdpa_in_32_bit"


def _attend_in_32_bit(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    with torch.autocast(query.device.type, enabled=False):
        found: tuple[Tensor, None] = sdpa_attention_forward(
            module, query.float(), key.float(), value.float(), attention_mask, **options
        )
    return found


def has_bfloat16(device: str) -> bool:
    """Whether products in bfloat16 are faster than in 32 bit on this device."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())


@contextmanager
def use_32_bit_attention(*models: PreTrainedModel) -> Iterator[None]:
    """Make models attend in 32 bit inside ``use_mixed_precision``; restore their attention afterwards."""
    AttentionInterface.register(_ATTENTION, _attend_in_32_bit)
    before = [model.config._attn_implementation for model in models]
    for model in models:
        model.set_attn_implementation(_ATTENTION)
    try:
        yield
    finally:
        for model, implementation in zip(models, before, strict=True):
            model.set_attn_implementation(implementation)


def use_mixed_precision(device: str) -> torch.autocast:
    """Create a context in which matrix products run in bfloat16 if that is faster on the device."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=has_bfloat16(device))
