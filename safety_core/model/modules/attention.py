"""Attention blocks of the safety head: self-attention over the prompt, and cross-attention to the image features.

Masks are boolean, True where a position is real; padded positions never influence real ones.
Shapes: B batch · Q queries · K keys · D width · h attention heads · d width of one head.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ContextLayers(nn.Module):
    """Pre-norm self-attention blocks at reduced width, added back onto the full-width queries.

    Token embeddings alone carry no word order; rotary positions add it, without a length limit and without parameters.
    """

    def __init__(self, width: int, reduced: int, *, num_layers: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.down = nn.Linear(width, reduced)
        self.layers = nn.ModuleList(ContextLayer(reduced, num_heads, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(reduced)
        self.up = nn.Linear(reduced, width)

    def forward(self, x_BQD: Tensor, mask_BQ: Tensor) -> Tensor:
        """Add context to the queries; padded queries hold meaningless values and must stay masked."""
        reduced_BQR = apply_linear(self.down, x_BQD)
        for layer in self.layers:
            reduced_BQR = layer(reduced_BQR, mask_BQ)
        return x_BQD + apply_linear(self.up, apply_norm(self.norm, reduced_BQR))


class ContextLayer(nn.Module):
    """One transformer block with rotary self-attention."""

    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.mlp = ResidualMLP(width, 4 * width, dropout)

    def forward(self, x_BQD: Tensor, mask_BQ: Tensor) -> Tensor:
        """Apply self-attention over real positions, then the MLP."""
        qkv_BQE = apply_linear(self.qkv, apply_norm(self.norm, x_BQD))
        qkv_BQ3hd = qkv_BQE.view(*qkv_BQE.shape[:2], 3, self.num_heads, -1)
        qkv_3BhQd = qkv_BQ3hd.permute(2, 0, 3, 1, 4)
        q_BhQd, k_BhQd = rotate(qkv_3BhQd[:2])
        attended_BhQd = F.scaled_dot_product_attention(
            q_BhQd, k_BhQd, qkv_3BhQd[2], attn_mask=mask_BQ[:, None, None, :]
        )
        attended_BQD = apply_linear(self.out, merge_heads(attended_BhQd))
        x_BQD = x_BQD + (self.dropout(attended_BQD) if self.training else attended_BQD)
        out_BQD: Tensor = self.mlp(x_BQD)
        return out_BQD


class KeyValues(NamedTuple):
    """Keys and values of an attention layer."""

    keys_BKD: Tensor
    """Compared with the queries."""

    values_BKD: Tensor
    """Averaged with the resulting weights."""


class CrossAttention(nn.Module):
    """Multi-head attention of queries over keys that also returns its weights."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def project(self, features_BKD: Tensor) -> KeyValues:
        """Project features to keys and values; rows that attend to the same features can share them."""
        return KeyValues(apply_linear(self.key, features_BKD), apply_linear(self.value, features_BKD))

    def forward(
        self, x_BQD: Tensor, key_values: KeyValues, mask_BK: Tensor, *, need_weights: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Attend to keys and values.

        Args:
            x_BQD: the queries.
            key_values: keys and values; a single row is shared by all rows of queries, without copies.
            mask_BK: True at keys that a row of queries may attend to.
            need_weights: whether to return the attention weights.

        Returns:
            The attended values out_BQD, and their weights weight_BQK, the mean over heads.
        """
        q_BhQd = split_heads(apply_linear(self.query, x_BQD), self.num_heads)
        k_BhKd = split_heads(key_values.keys_BKD, self.num_heads)
        v_BhKd = split_heads(key_values.values_BKD, self.num_heads)
        if not need_weights:
            return apply_linear(self.out, _attend(q_BhQd, k_BhKd, v_BhKd, mask_BK)), None
        logits_BhQK = q_BhQd @ k_BhKd.transpose(-1, -2) * q_BhQd.shape[-1] ** -0.5
        weight_BhQK = logits_BhQK.masked_fill(~mask_BK[:, None, None, :], float("-inf")).softmax(-1)
        return apply_linear(self.out, merge_heads(weight_BhQK @ v_BhKd)), weight_BhQK.mean(1)


class ResidualMLP(nn.Module):
    """Pre-norm two-layer MLP with a residual."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.body = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width), nn.Dropout(dropout))

    def forward(self, x_BQD: Tensor) -> Tensor:
        """Add the output of the MLP."""
        widen, activate, narrow, drop = self.body
        out_BQD: Tensor = narrow(activate(widen(apply_norm(self.norm, x_BQD))))
        return x_BQD + (drop(out_BQD) if self.training else out_BQD)


class AttentionPooling(nn.Module):
    """Learned masked mean over the queries, with separate weights for each attention head."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.score = nn.Linear(width, num_heads)

    def forward(self, x_BQD: Tensor, mask_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """Pool the queries; returns pooled_BD and weight_BQ, the mean over heads."""
        logits_BQh = apply_linear(self.score, x_BQD).masked_fill(~mask_BQ[..., None], float("-inf"))
        weight_BhQ = logits_BQh.softmax(1).transpose(1, 2)
        # Padded queries may be non-finite; a weight of zero alone would not remove them.
        values_BhQd = split_heads(x_BQD.masked_fill(~mask_BQ[..., None], 0.0), self.num_heads)
        pooled_Bhd = (weight_BhQ[:, :, None, :] @ values_BhQd).squeeze(2)
        return pooled_Bhd.flatten(1), weight_BhQ.mean(1)


def apply_linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """Apply a linear layer without the module call, which takes longer than the layer itself for a few rows."""
    return F.linear(x, layer.weight, layer.bias)


def apply_norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    """Apply a layer norm without the module call."""
    return torch.layer_norm(x, layer.normalized_shape, layer.weight, layer.bias, layer.eps)


def _attend(q_BhQd: Tensor, k_BhKd: Tensor, v_BhKd: Tensor, mask_BK: Tensor) -> Tensor:
    """Compute out_BQD without weights; if all rows share their keys, the queries of all rows form one row."""
    batch, _, queries, _ = q_BhQd.shape
    mask_B1QK = mask_BK[:, None, None, :]
    shared = len(k_BhKd) < batch
    if shared:
        q_BhQd = q_BhQd.transpose(0, 1).flatten(1, 2)[None]
        mask_B1QK = mask_B1QK.expand(-1, -1, queries, -1).reshape(1, 1, batch * queries, -1)
    out_BQD = merge_heads(F.scaled_dot_product_attention(q_BhQd, k_BhKd, v_BhKd, attn_mask=mask_B1QK))
    return out_BQD.reshape(batch, queries, -1) if shared else out_BQD


def split_heads(x_BQD: Tensor, num_heads: int) -> Tensor:
    """Convert x_BQD to x_BhQd."""
    return x_BQD.reshape(*x_BQD.shape[:-1], num_heads, -1).transpose(1, 2)


def merge_heads(x_BhQd: Tensor) -> Tensor:
    """Convert x_BhQd to x_BQD."""
    return x_BhQd.transpose(1, 2).flatten(2)


def rotate(x_BhQd: Tensor, base: float = 10_000.0) -> Tensor:
    """Apply rotary position embeddings (Su et al., arXiv 2104.09864), with positions from the first query."""
    length, width = x_BhQd.shape[-2:]
    size = 1 << max(length - 1, 63).bit_length()  # a power of two, so that few tables are computed
    cos_Qf, sin_Qf = _compute_rotary_tables(size, width, base, x_BhQd.device, x_BhQd.dtype)
    cos_Qf, sin_Qf = cos_Qf[:length], sin_Qf[:length]
    left_BhQf, right_BhQf = x_BhQd.chunk(2, dim=-1)
    return torch.cat([left_BhQf * cos_Qf - right_BhQf * sin_Qf, right_BhQf * cos_Qf + left_BhQf * sin_Qf], dim=-1)


@lru_cache(maxsize=32)
def _compute_rotary_tables(
    length: int, width: int, base: float, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Compute cosine and sine of every position's angles, cos_Qf and sin_Qf."""
    with torch.inference_mode(False):  # training cannot use tensors made in inference mode
        exponent_f = torch.arange(0, width, 2, device=device, dtype=torch.float32) / width
        frequency_f = torch.exp(-math.log(base) * exponent_f)
        angle_Qf = torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequency_f
        return angle_Qf.cos().to(dtype), angle_Qf.sin().to(dtype)
