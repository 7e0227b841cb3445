"""The safety head: the risk of a prompt and its pictures, from their embeddings alone.

The queries are one learned query and the user's words, the keys are the head's own tokens and the safety features.
Runs without the language model: a refusal costs no prefill. Knows nothing of images as pixels or text as strings.
Shapes: B batch · P prompts · T prompt tokens · Q=1+T queries · D LLM width · S safety tokens · M safety features of one
image · F features of all of a sample's images (a multiple of M, padded) · C risk types · L risk levels.
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
from safety_core.model.modules.derived import Derived


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOutput:
    """What the head says about a batch."""

    type_logits_BC: Tensor
    """Logits of the risk types."""

    level_logits_BL: Tensor
    """Logits of the risk levels."""

    attention_BF: Tensor | None
    """Non-negative weights over the safety features, at most 1 in sum; None without images, or where not asked for."""


class SafetyHead(nn.Module):
    """Cross-attention of prompt queries over picture features, pooled into two classifiers.

    Args:
        dims: sizes of the backbone; its ``llm_width`` must divide by the number of heads.
        config: shape of the head.
        num_types: C.
        num_levels: L.
        grid: side of the grid of safety features of one image; M is its square.

    Raises:
        ConfigError: the width does not divide into that many heads.
    """

    def __init__(self, dims: BackboneDims, config: HeadConfig, *, num_types: int, num_levels: int, grid: int) -> None:
        super().__init__()
        width = dims.llm_width
        if width % config.num_heads:
            raise ConfigError(
                f"config.head.num_heads: an LLM width of {width} does not divide into {config.num_heads} heads"
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
        self._own: Derived[KeyValues] = Derived()
        self._place: Derived[Tensor] = Derived()

    def forward(
        self,
        prompt_BTD: Tensor | None,
        prompt_mask_BT: Tensor | None,
        safe: Tensor | KeyValues | None,
        safe_mask_BF: Tensor | None,
        tokens_SD: Tensor,
        *,
        prompt_of_B: Tensor | None = None,
        attention: bool = True,
    ) -> HeadOutput:
        """Judge a batch.

        Args:
            prompt_BTD: input embeddings of the users' words, None where no sample has a prompt.
            prompt_mask_BT: True at real words; a row without any has no prompt. None with embeddings: all are real.
            prompt_of_B: which of the prompts each sample has, where several share one: it is read once. In order
                where None.
            safe: safety features safe_BFD of each sample's images one after the other, or what :meth:`read` made of
                them; None where no sample has an image. A single row is shared by all samples, without copies.
            safe_mask_BF: True at real features; a row without any has no image. None with features: all are real, one
                row for each sample.
            tokens_SD: the head's safety tokens.
            attention: whether to say where the head looked.

        Raises:
            ValueError: neither prompt nor image was given, or their batch sizes differ.
        """
        features = self.read(safe) if isinstance(safe, Tensor) else safe
        asked = prompt_BTD if prompt_of_B is None else prompt_of_B
        if features is not None and safe_mask_BF is None:
            safe_mask_BF = _all_real(features.keys_BKD)
        known = asked if features is None else safe_mask_BF
        if known is None:
            raise ValueError("a prompt or an image is needed, got neither")
        if asked is not None and len(asked) != len(known):
            raise ValueError(f"{len(known)} rows of safety features were given for {len(asked)} prompts")
        if features is not None and len(features.keys_BKD) not in {1, len(known)}:
            raise ValueError(f"{len(features.keys_BKD)} rows of safety features were given for {len(known)} masks")
        queries_BQD, query_mask_BQ = self._queries(prompt_BTD, prompt_mask_BT, batch=len(known))
        if prompt_BTD is not None and prompt_of_B is not None:
            queries_BQD, query_mask_BQ = queries_BQD[prompt_of_B], query_mask_BQ[prompt_of_B]
        looked_at, key_mask_BK = self._looked_at(features, safe_mask_BF, tokens_SD, batch=len(known))
        fused_BQD, weight_BQK = self._fuse(queries_BQD, looked_at, key_mask_BK, attention and features is not None)
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

    def read(self, safe_BFD: Tensor) -> KeyValues:
        """Keys and values of safety features; those of an image serve every row that looks at it."""
        if self.config.fusion == "block":
            place_MD = self._place.of([self.place], self._places)
            normed_BFD = apply_norm(self.key_norm, safe_BFD)
            safe_BFD = (normed_BFD.unflatten(1, (-1, self.grid**2)) + place_MD).flatten(1, 2)
        return self.cross.project(safe_BFD)

    def _queries(
        self, prompt_BTD: Tensor | None, prompt_mask_BT: Tensor | None, *, batch: int
    ) -> tuple[Tensor, Tensor]:
        """[learned query ; words], with their mask; the learned query is always real."""
        batch = batch if prompt_BTD is None else len(prompt_BTD)
        queries_BQD = self.query_D.expand(batch, 1, -1)
        mask_BQ = torch.ones(batch, 1, dtype=torch.bool, device=queries_BQD.device)
        if prompt_BTD is not None and not self._blind_to_words:
            words_mask_BT = _all_real(prompt_BTD) if prompt_mask_BT is None else prompt_mask_BT
            queries_BQD = torch.cat([queries_BQD, prompt_BTD.to(queries_BQD.dtype)], dim=1)
            mask_BQ = torch.cat([mask_BQ, words_mask_BT], dim=1)
        if self.config.fusion == "block":
            queries_BQD = apply_norm(self.embed_norm, queries_BQD)
        if self.context is not None:
            queries_BQD = self.context(queries_BQD, mask_BQ)
        return queries_BQD, mask_BQ

    @property
    def _blind_to_words(self) -> bool:
        """Whether words cannot reach the pooled query, so that they need not be computed."""
        return self.config.pooling == "first_token" and self.context is None

    def _looked_at(
        self, features: KeyValues | None, safe_mask_BF: Tensor | None, tokens_SD: Tensor, *, batch: int
    ) -> tuple[KeyValues, Tensor]:
        """[head tokens ; null feature ; safety features], with their mask; the null stands in for missing images."""
        key, value = self.cross.key, self.cross.value
        read_by = [tokens_SD, self.null_D, key.weight, key.bias, value.weight, value.bias]
        if self.config.fusion == "block":
            read_by += [self.key_norm.weight, self.key_norm.bias]
        own = self._own.of(read_by, lambda: self._read_own(tokens_SD))
        own_mask_BK = _all_real(own.keys_BKD).expand(batch, -1)
        if features is None or safe_mask_BF is None:
            return own, own_mask_BK
        rows = len(features.keys_BKD)
        own_RKD = [part.expand(rows, -1, -1) for part in own]
        looked_at = KeyValues(*(torch.cat(pair, dim=1) for pair in zip(own_RKD, features, strict=True)))
        null_mask_B1 = ~safe_mask_BF.any(dim=1, keepdim=True)
        return looked_at, torch.cat([own_mask_BK[:, :-1], null_mask_B1, safe_mask_BF], dim=1)

    def _read_own(self, tokens_SD: Tensor) -> KeyValues:
        """Keys and values of [head tokens ; null feature], which no request changes."""
        own_1KD = torch.cat([tokens_SD, self.null_D[None]])[None]
        return self.cross.project(self.key_norm(own_1KD) if self.config.fusion == "block" else own_1KD)

    def _places(self) -> Tensor:
        """What to add to each feature of an image so that its row and column are known: place_MD."""
        return (self.place[0][:, None] + self.place[1][None, :]).flatten(0, 1)

    def _fuse(
        self, queries_BQD: Tensor, looked_at: KeyValues, mask_BK: Tensor, weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        if self.config.fusion == "bare":
            bare: tuple[Tensor, Tensor | None] = self.cross(queries_BQD, looked_at, mask_BK, weights=weights)
            return bare
        attended_BQD, weight_BQK = self.cross(
            apply_norm(self.query_norm, queries_BQD), looked_at, mask_BK, weights=weights
        )
        return apply_norm(self.out_norm, self.mlp(queries_BQD + attended_BQD)), weight_BQK


def _all_real(x_BKD: Tensor) -> Tensor:
    """A mask that is True everywhere."""
    return torch.ones(x_BKD.shape[:2], dtype=torch.bool, device=x_BKD.device)
