"""Runs a decoding step of a Llama text model with fewer operations than transformers' own modules.

A step computes one position of each row. The cost of such small operations is independent of their size, so their
number determines the duration of a step. The linear layers are called as modules, so that quantised layers and adapters
work as usual, or replaced (:mod:`safety_core.model.layer_products`).
Shapes: R rows · D width · A all heads (queries, keys, values) · O their outputs side by side · H query heads ·
K key-value heads · G heads that share one · d width of a head · L positions that are attended to.
"""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Cache, LlavaForConditionalGeneration
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaDecoderLayer,
    LlamaMLP,
    LlamaModel,
    LlamaRMSNorm,
)

from safety_core.model.layer_products import LayerProducts, ModuleProducts, PackedModel, pack_worthwhile

# transformers 5.24 renamed the argument.
CACHE_ARGUMENT = (
    "cache" if "cache" in signature(LlavaForConditionalGeneration.forward).parameters else "past_key_values"
)
"""Name of the argument of a model's ``forward`` that takes the cache."""

_REPLACED = (LlamaModel, LlamaDecoderLayer, LlamaAttention, LlamaMLP, LlamaRMSNorm)
"""Classes of modules whose ``forward`` is not called in a quick step."""


def has_quick_step(text_model: nn.Module) -> bool:
    """Whether :func:`run_quick_step` computes the same as the model's own ``forward``.

    It does not for other architectures, other attention kernels, models wrapped in an adapter, and modules with hooks
    or a replaced ``forward``, such as those of a model that is split across devices.
    """
    if type(text_model) is not LlamaModel or text_model.training or text_model.config._attn_implementation != "sdpa":
        return False
    replaced: list[Any] = [text_model, text_model.norm]
    for layer in text_model.layers:
        replaced += [layer, layer.self_attn, layer.mlp, layer.input_layernorm, layer.post_attention_layernorm]
    return all(type(module) in _REPLACED and _is_unchanged(module) for module in replaced)


def pack_quick_step(backbone: LlavaForConditionalGeneration) -> PackedModel | None:
    """Pack the weights for :func:`run_quick_step`; None if the model has no such step or the copy is not worthwhile."""
    return pack_worthwhile(backbone) if has_quick_step(backbone.model.language_model) else None


def run_quick_step(
    text_model: Any,
    embeds_R1D: Tensor,
    positions_R1: Tensor,
    mask_R11L: Tensor,
    cache: Cache,
    packed: Sequence[LayerProducts] | None = None,
) -> Tensor:
    """Compute the last hidden states of one more position of each row.

    Args:
        text_model: a model for which :func:`has_quick_step` holds.
        embeds_R1D: embedded tokens.
        positions_R1: their positions.
        mask_R11L: True at positions that a row may attend to.
        cache: keys and values of earlier positions; updated.
        packed: the products of each layer, in place of its linear layers.

    Returns:
        hidden_R1D: up to rounding, the ``last_hidden_state`` of the model's own ``forward``.
    """
    rows = len(embeds_R1D)
    cos_R1d, sin_R1d = text_model.rotary_emb(embeds_R1D, positions_R1)
    half = cos_R1d.shape[-1] // 2
    cos_R11d = cos_R1d[:, None]
    # The sine holds the sign, so that the rotation needs no negation.
    sin_R11d = torch.cat((-sin_R1d[..., :half], sin_R1d[..., half:]), dim=-1)[:, None]
    bias_R11L = torch.zeros_like(mask_R11L, dtype=embeds_R1D.dtype).masked_fill_(~mask_R11L, float("-inf"))
    hidden_R1D = embeds_R1D
    for index, layer in enumerate(text_model.layers):
        attention = layer.self_attn
        products = ModuleProducts(layer) if packed is None else packed[index]
        heads_R1O = products.project_heads(_normalise(layer.input_layernorm, hidden_R1D))
        heads_RA1d = heads_R1O.view(rows, -1, 1, attention.head_dim)
        groups = attention.num_key_value_groups
        kept = heads_RA1d.shape[1] // (groups + 2)
        turned_RA1d, value_RK1d = heads_RA1d[:, :-kept], heads_RA1d[:, -kept:]
        turned_RA1d = turned_RA1d * cos_R11d + turned_RA1d.roll(half, -1) * sin_R11d
        keys_RKLd, values_RKLd = cache.update(turned_RA1d[:, -kept:], value_RK1d, attention.layer_idx)
        # Heads that share keys and values are treated as positions of one head.
        query_RKGd = turned_RA1d[:, :-kept].view(rows, kept, groups, attention.head_dim)
        read_RKGd = F.scaled_dot_product_attention(
            query_RKGd, keys_RKLd, values_RKLd, attn_mask=bias_R11L, scale=attention.scaling
        )
        hidden_R1D = hidden_R1D + products.project_attended(read_RKGd.reshape(rows, 1, -1))
        hidden_R1D = hidden_R1D + products.run_mlp(_normalise(layer.post_attention_layernorm, hidden_R1D))
    return _normalise(text_model.norm, hidden_R1D)


def _normalise(norm: Any, hidden_R1D: Tensor) -> Tensor:
    """Compute the same as LlamaRMSNorm."""
    if hidden_R1D.dtype != torch.float32:  # the module rounds before it multiplies by its weight
        normed: Tensor = norm.forward(hidden_R1D)
        return normed
    return F.rms_norm(hidden_R1D, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _is_unchanged(module: nn.Module) -> bool:
    """Whether a module has neither hooks nor a ``forward`` of its own."""
    return "forward" not in vars(module) and not (module._forward_hooks or module._forward_pre_hooks)
