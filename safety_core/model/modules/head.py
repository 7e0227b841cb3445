"""The safety head: classifies the risk of a prompt and its images from their embeddings.

The queries are one learned query and the prompt's tokens, the keys are the head's own tokens and the safety features.
Runs without the language model. Knows neither pixels nor text.
Shapes: B batch · P prompts · T prompt tokens · Q=1+T queries · K keys · D LLM width · S safety tokens · M safety
features of one image · F features of all of a sample's images (a multiple of M, padded) · C risk types · L risk levels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from safety_core.errors import ConfigError
from safety_core.model.config import BackboneDims, HeadConfig
from safety_core.model.modules.attention import (
    AttentionPooling,
    ContextLayers,
    CrossAttention,
    KeyValues,
    ResidualMLP,
    apply_linear,
    apply_norm,
)
from safety_core.model.modules.derived_values import DerivedValue


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOutput:
    """Logits of a batch, and the attention of the head."""

    type_logits_BC: Tensor
    """Logits of the risk types."""

    level_logits_BL: Tensor
    """Logits of the risk levels."""

    attention_BF: Tensor | None
    """Non-negative weights over the safety features, at most 1 in sum; None without images or if not requested."""


class SafetyHead(nn.Module):
    """Cross-attention of prompt queries over image features, pooled into two classifiers.

    Args:
        dims: sizes of the backbone; its ``llm_width`` must be divisible by the number of heads.
        config: shape of the head.
        num_types: C.
        num_levels: L.
        grid: side of the grid of safety features of one image; M is its square.

    Raises:
        ConfigError: the width is not divisible by the number of heads.
    """

    def __init__(self, dims: BackboneDims, config: HeadConfig, *, num_types: int, num_levels: int, grid: int) -> None:
        super().__init__()
        width = dims.llm_width
        if width % config.num_heads:
            raise ConfigError(
                f"config.head.num_heads: the LLM width {width} is not divisible by {config.num_heads} heads"
            )
        self.config = config
        self.grid = grid
        self.query_D = nn.Parameter(torch.empty(width))
        self.null_D = nn.Parameter(torch.empty(width))
        self.context = (
            ContextLayers(
                width,
                config.context_width,
                num_layers=config.context_layers,
                num_heads=config.num_heads,
                dropout=config.dropout,
            )
            if config.context_layers
            else None
        )
        self.cross = CrossAttention(width, config.num_heads)
        if config.fusion == "block":
            self.embed_norm = nn.LayerNorm(width)
            self.query_norm = nn.LayerNorm(width)
            self.key_norm = nn.LayerNorm(width)
            self.place = nn.Parameter(torch.empty(2, grid, width))
            self.mlp = ResidualMLP(width, config.fusion_width, config.dropout)
            self.out_norm = nn.LayerNorm(width)
        self.pooling = AttentionPooling(width, config.num_heads) if config.pooling == "attention" else None
        self.type_classifier = nn.Linear(width, num_types)
        self.level_classifier = nn.Linear(width, num_levels)
        self._own_key_values: DerivedValue[KeyValues] = DerivedValue()
        self._positions: DerivedValue[Tensor] = DerivedValue()

    def forward(
        self,
        prompt_BTD: Tensor | None,
        prompt_mask_BT: Tensor | None,
        safe: Tensor | KeyValues | None,
        safe_mask_BF: Tensor | None,
        tokens_SD: Tensor,
        *,
        prompt_index_B: Tensor | None = None,
        need_attention: bool = True,
    ) -> HeadOutput:
        """Classify a batch.

        Args:
            prompt_BTD: input embeddings of the users' text; None if no sample has a prompt.
            prompt_mask_BT: True at real tokens; a row without any has no prompt. None with embeddings: all are real.
            prompt_index_B: index of each sample's prompt; a prompt that several samples share is processed once. In
                order if None.
            safe: safety features safe_BFD of each sample's images in order, or their :meth:`project_key_values`; None
                if no sample has an image. A single row is shared by all samples, without copies.
            safe_mask_BF: True at real features; a row without any has no image. None with features: all are real, one
                row for each sample.
            tokens_SD: the head's safety tokens.
            need_attention: whether to return the attention over the features.

        Raises:
            ValueError: neither a prompt nor an image was given, or their batch sizes differ.
        """
        features = self.project_key_values(safe) if isinstance(safe, Tensor) else safe
        prompts = prompt_BTD if prompt_index_B is None else prompt_index_B
        if features is not None and safe_mask_BF is None:
            safe_mask_BF = _build_full_mask(features.keys_BKD)
        samples = prompts if features is None else safe_mask_BF
        if samples is None:
            raise ValueError("a prompt or an image is needed, got neither")
        if prompts is not None and len(prompts) != len(samples):
            raise ValueError(f"{len(samples)} rows of safety features were given for {len(prompts)} prompts")
        if features is not None and len(features.keys_BKD) not in {1, len(samples)}:
            raise ValueError(f"{len(features.keys_BKD)} rows of safety features were given for {len(samples)} masks")
        queries_BQD, query_mask_BQ = self._build_queries(prompt_BTD, prompt_mask_BT, batch=len(samples))
        if prompt_BTD is not None and prompt_index_B is not None:
            queries_BQD, query_mask_BQ = queries_BQD[prompt_index_B], query_mask_BQ[prompt_index_B]
        key_values, key_mask_BK = self._build_keys(features, safe_mask_BF, tokens_SD, batch=len(samples))
        fused_BQD, weight_BQK = self._fuse(
            queries_BQD, key_values, key_mask_BK, need_attention and features is not None
        )
        if self.pooling is None:
            pooled_BD, weight_BQ = fused_BQD[:, 0], None
        else:
            pooled_BD, weight_BQ = self.pooling(fused_BQD, query_mask_BQ)
        attention_BF = None
        if weight_BQK is not None:
            weight_BQF = weight_BQK[:, :, len(tokens_SD) + 1 :]
            attention_BF = weight_BQF[:, 0] if weight_BQ is None else torch.einsum("bq,bqf->bf", weight_BQ, weight_BQF)
        return HeadOutput(
            type_logits_BC=apply_linear(self.type_classifier, pooled_BD),
            level_logits_BL=apply_linear(self.level_classifier, pooled_BD),
            attention_BF=attention_BF,
        )

    def project_key_values(self, safe_BFD: Tensor) -> KeyValues:
        """Project safety features to keys and values, which all rows with the same image can share."""
        if self.config.fusion == "block":
            place_MD = self._positions.get([self.place], self._compute_positions)
            normed_BFD = apply_norm(self.key_norm, safe_BFD)
            safe_BFD = (normed_BFD.unflatten(1, (-1, self.grid**2)) + place_MD).flatten(1, 2)
        return self.cross.project(safe_BFD)

    def _build_queries(
        self, prompt_BTD: Tensor | None, prompt_mask_BT: Tensor | None, *, batch: int
    ) -> tuple[Tensor, Tensor]:
        """Build [learned query ; prompt tokens] and their mask; the learned query is always real."""
        batch = batch if prompt_BTD is None else len(prompt_BTD)
        queries_BQD = self.query_D.expand(batch, 1, -1)
        mask_BQ = torch.ones(batch, 1, dtype=torch.bool, device=queries_BQD.device)
        if prompt_BTD is not None and not self._ignores_prompt:
            tokens_mask_BT = _build_full_mask(prompt_BTD) if prompt_mask_BT is None else prompt_mask_BT
            queries_BQD = torch.cat([queries_BQD, prompt_BTD.to(queries_BQD.dtype)], dim=1)
            mask_BQ = torch.cat([mask_BQ, tokens_mask_BT], dim=1)
        if self.config.fusion == "block":
            queries_BQD = apply_norm(self.embed_norm, queries_BQD)
        if self.context is not None:
            queries_BQD = self.context(queries_BQD, mask_BQ)
        return queries_BQD, mask_BQ

    @property
    def _ignores_prompt(self) -> bool:
        """Whether the prompt's tokens cannot influence the pooled query, so that their queries need no computation."""
        return self.config.pooling == "first_token" and self.context is None

    def _build_keys(
        self, features: KeyValues | None, safe_mask_BF: Tensor | None, tokens_SD: Tensor, *, batch: int
    ) -> tuple[KeyValues, Tensor]:
        """Build [head tokens ; null feature ; safety features] and their mask; the null replaces missing images."""
        key, value = self.cross.key, self.cross.value
        parameters = [tokens_SD, self.null_D, key.weight, key.bias, value.weight, value.bias]
        if self.config.fusion == "block":
            parameters += [self.key_norm.weight, self.key_norm.bias]
        own = self._own_key_values.get(parameters, lambda: self._project_own_tokens(tokens_SD))
        own_mask_BK = _build_full_mask(own.keys_BKD).expand(batch, -1)
        if features is None or safe_mask_BF is None:
            return own, own_mask_BK
        rows = len(features.keys_BKD)
        own_RKD = [part.expand(rows, -1, -1) for part in own]
        key_values = KeyValues(*(torch.cat(pair, dim=1) for pair in zip(own_RKD, features, strict=True)))
        null_mask_B1 = ~safe_mask_BF.any(dim=1, keepdim=True)
        return key_values, torch.cat([own_mask_BK[:, :-1], null_mask_B1, safe_mask_BF], dim=1)

    def _project_own_tokens(self, tokens_SD: Tensor) -> KeyValues:
        """Project [head tokens ; null feature] to keys and values, which are the same for every request."""
        own_1KD = torch.cat([tokens_SD, self.null_D[None]])[None]
        return self.cross.project(self.key_norm(own_1KD) if self.config.fusion == "block" else own_1KD)

    def _compute_positions(self) -> Tensor:
        """Compute the position embeddings place_MD of an image's features, from those of rows and columns."""
        return (self.place[0][:, None] + self.place[1][None, :]).flatten(0, 1)

    def _fuse(
        self, queries_BQD: Tensor, key_values: KeyValues, mask_BK: Tensor, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        if self.config.fusion == "bare":
            bare: tuple[Tensor, Tensor | None] = self.cross(queries_BQD, key_values, mask_BK, need_weights=need_weights)
            return bare
        attended_BQD, weight_BQK = self.cross(
            apply_norm(self.query_norm, queries_BQD), key_values, mask_BK, need_weights=need_weights
        )
        return apply_norm(self.out_norm, self.mlp(queries_BQD + attended_BQD)), weight_BQK


def _build_full_mask(x_BKD: Tensor) -> Tensor:
    """Build a mask that is True everywhere."""
    return torch.ones(x_BKD.shape[:2], dtype=torch.bool, device=x_BKD.device)
