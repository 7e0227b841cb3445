"""The matrix products of a Llama text model's decoding step: its own linear layers, or packed copies of them.

A step of few rows takes as long as reading the weights. The copies for the CPU are bfloat16 and in oneDNN's layout,
with one product for query, key and value, and one for gate and up: a half to a third of the time. Only the products
round: norms, rotations, attention and the sums between layers keep the model's precision. The model's own weights stay
as they are, and read prompts. Does not know the rest of a step.
Shapes: R rows · D width · A query, key and value heads · d width of a head · I and O inputs and outputs of a product.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from safety_core.model.device import multiplies_bfloat16

SMALLEST_BYTES, LARGEST_BYTES = 64 << 20, 1 << 30
"""Sizes of a copy that is worthwhile: below, other operations determine the duration; above, memory is worth more."""


class LayerProducts(Protocol):
    """The products of one decoder layer."""

    def project_heads(self, normed_R1D: Tensor) -> Tensor:
        """Compute queries, keys and values of all heads, side by side: heads_R1(Ad)."""
        ...

    def project_attended(self, read_R1D: Tensor) -> Tensor:
        """Compute the output of the attention."""
        ...

    def run_mlp(self, normed_R1D: Tensor) -> Tensor:
        """Compute the output of the MLP."""
        ...


class ModuleProducts:
    """Calls the linear layers as modules, so that quantised layers and adapters work as usual.

    Args:
        layer: a decoder layer of a Llama text model.
    """

    def __init__(self, layer: Any) -> None:
        self._attention, self._mlp = layer.self_attn, layer.mlp

    def project_heads(self, normed_R1D: Tensor) -> Tensor:
        """Three products."""
        attention = self._attention
        return torch.cat(
            (attention.q_proj(normed_R1D), attention.k_proj(normed_R1D), attention.v_proj(normed_R1D)), dim=-1
        )

    def project_attended(self, read_R1D: Tensor) -> Tensor:
        """One product."""
        output_R1D: Tensor = self._attention.o_proj(read_R1D)
        return output_R1D

    def run_mlp(self, normed_R1D: Tensor) -> Tensor:
        """Three products."""
        mlp = self._mlp
        output_R1D: Tensor = mlp.down_proj(mlp.act_fn(mlp.gate_proj(normed_R1D)) * mlp.up_proj(normed_R1D))
        return output_R1D


class PackedProducts:
    """Multiplies with packed copies of the weights.

    Args:
        layer: a decoder layer for which :func:`can_pack` holds.
    """

    def __init__(self, layer: Any) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self._heads = PackedLinear([attention.q_proj, attention.k_proj, attention.v_proj])
        self._attended = PackedLinear([attention.o_proj])
        self._gate_up = PackedLinear([mlp.gate_proj, mlp.up_proj])
        self._down = PackedLinear([mlp.down_proj])
        self._activate = mlp.act_fn

    def project_heads(self, normed_R1D: Tensor) -> Tensor:
        """One product."""
        return self._heads(normed_R1D).to(normed_R1D.dtype)

    def project_attended(self, read_R1D: Tensor) -> Tensor:
        """One product."""
        return self._attended(read_R1D).to(read_R1D.dtype)

    def run_mlp(self, normed_R1D: Tensor) -> Tensor:
        """Two products; between them, everything is bfloat16."""
        gate_R1I, up_R1I = self._gate_up(normed_R1D).chunk(2, dim=-1)
        return self._down(self._activate(gate_R1I) * up_R1I).to(normed_R1D.dtype)


class PackedLinear:
    """One product in place of those of several linear layers that read the same input.

    Args:
        modules: the layers.
    """

    def __init__(self, modules: Sequence[nn.Linear]) -> None:
        weight_OI = torch.cat([module.weight.detach().bfloat16() for module in modules])
        # The layout is chosen for one row; more rows take no longer than with a layout of their own.
        self._weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight_OI, 1)
        self._bias_O: Tensor | None = None
        if any(module.bias is not None for module in modules):
            biases = [torch.zeros(len(one.weight)) if one.bias is None else one.bias.detach() for one in modules]
            self._bias_O = torch.cat([bias.bfloat16() for bias in biases])

    def __call__(self, input: Tensor) -> Tensor:
        """Return the outputs of all layers side by side, as bfloat16."""
        output: Tensor = torch.ops.mkldnn._linear_pointwise(
            input.bfloat16(), self._weight, self._bias_O, "none", [], ""
        )
        return output


class PackedModel:
    """Packed copies of all weights that a decoding step multiplies with.

    Args:
        backbone: a model for which :func:`can_pack` holds.
    """

    def __init__(self, backbone: LlavaForConditionalGeneration) -> None:
        self.layers = [PackedProducts(layer) for layer in backbone.model.language_model.layers]
        self.lm_head = PackedLinear([backbone.lm_head])


def pack_worthwhile(backbone: LlavaForConditionalGeneration) -> PackedModel | None:
    """Pack the weights if the processor multiplies bfloat16 natively and the copy has a worthwhile size."""
    if not multiplies_bfloat16() or not can_pack(backbone):
        return None
    copied = sum(2 * module.weight.numel() for module in _list_modules(backbone))
    return PackedModel(backbone) if SMALLEST_BYTES <= copied <= LARGEST_BYTES else None


def can_pack(backbone: LlavaForConditionalGeneration) -> bool:
    """Whether all products are plain linear layers on the CPU: not quantised, without adapters and hooks."""
    return torch.backends.mkldnn.is_available() and all(
        type(module) is nn.Linear
        and module.weight.device.type == "cpu"
        and not (module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))
        for module in _list_modules(backbone)
    )


def _list_modules(backbone: Any) -> list[Any]:
    """List the modules that a decoding step multiplies with."""
    modules = [backbone.lm_head]
    for layer in backbone.model.language_model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        modules += [attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj]
        modules += [mlp.gate_proj, mlp.up_proj, mlp.down_proj]
    return modules
