"""Decoding of one batch from input embeddings: prefill, then one token a step for every row; text out of ids.

The plain path: rows start together, and the cache grows as transformers lets it. What a server runs is
``engine.generator``, where replies join and leave; its tests compare the two. A loop of our own instead of
``generate()``, because it draws from one random source per row (so that a reply does not depend on its
neighbours), checks that the logits are finite, and can ban the image placeholder.
Shapes: B batch · T positions · D LLM width · W vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import DynamicCache, LlavaForConditionalGeneration, PreTrainedTokenizerBase

from safety_core.errors import GenerationError, PromptError
from safety_core.model.sampling import Sampling, choose, random_source
from safety_core.model.vision.assembly import LmInputs

FinishReason = Literal["stop", "length"]

# transformers 5.24 gave the argument a new name.
CACHE_ARGUMENT = (
    "cache" if "cache" in signature(LlavaForConditionalGeneration.forward).parameters else "past_key_values"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One finished reply."""

    text: str
    """The reply, without special tokens."""

    token_ids: tuple[int, ...]
    """The tokens that were made, the end-of-sequence token included."""

    finish_reason: FinishReason
    """``stop``: the model ended; ``length``: out of tokens."""


class Decoder:
    """Autoregressive decoding of one batch.

    Args:
        backbone: the language model; only its text half runs.
        inputs: what :meth:`SafeLlava.build_inputs` made.
        sampling: how tokens are chosen.
        eos_ids: tokens that end a reply.
        banned_ids: tokens that are never made.

    Raises:
        PromptError: the prompt alone fills the model's context.
    """

    def __init__(
        self,
        backbone: LlavaForConditionalGeneration,
        inputs: LmInputs,
        sampling: Sampling,
        *,
        eos_ids: Sequence[int],
        banned_ids: Sequence[int] = (),
    ) -> None:
        text: Any = backbone.config.text_config
        room = text.max_position_embeddings - int(inputs.mask_BT.sum(1).max())
        if room < 1:
            raise PromptError("the prompt leaves no room for a reply", code="prompt_too_long", param="prompt")
        batch = len(inputs.embeds_BTD)
        self.backbone = backbone
        self.sampling = sampling
        self.limit = min(room, sampling.max_new_tokens)
        self.eos_ids = frozenset(eos_ids)
        self.banned_ids = list(banned_ids)
        self.token_ids: list[list[int]] = [[] for _ in range(batch)]
        self.finish_reasons: list[FinishReason | None] = [None] * batch
        self._draws = [random_source(sampling.seed) for _ in range(batch)]
        self._inputs: LmInputs | None = inputs
        self._mask_BT = inputs.mask_BT
        self._next_position_B1 = inputs.position_ids_BT[:, -1:] + 1
        self._last_B1 = torch.zeros_like(self._next_position_B1)
        self._cache = DynamicCache()

    @property
    def done(self) -> bool:
        """Whether every row has finished."""
        return None not in self.finish_reasons

    @torch.inference_mode()
    def step(self) -> list[int | None]:
        """Make the next token of every row; None for rows that have finished.

        Raises:
            GenerationError: the language model's logits are not finite.
        """
        logits_BW = self._forward()
        if not bool(logits_BW.isfinite().all(1).logical_or(self._finished_B(logits_BW.device)).all()):
            raise GenerationError("the language model's output is not finite")
        if self.banned_ids:
            logits_BW[:, self.banned_ids] = float("-inf")
        running = [row for row, reason in enumerate(self.finish_reasons) if reason is None]
        draws = [self._draws[row] for row in running]
        made: list[int | None] = [None] * len(self.finish_reasons)
        for row, token in zip(running, choose(logits_BW[running], [self.sampling] * len(running), draws), strict=True):
            made[row] = token
            self.token_ids[row].append(token)
            self._last_B1[row] = token
            if token in self.eos_ids:
                self.finish_reasons[row] = "stop"
            elif len(self.token_ids[row]) >= self.limit:
                self.finish_reasons[row] = "length"
        return made

    def _forward(self) -> Tensor:
        """Logits of the next token: the prefill on the first call, one position on every later one."""
        if self._inputs is not None:
            inputs, self._inputs = self._inputs, None
            output = self.backbone(
                inputs_embeds=inputs.embeds_BTD,
                attention_mask=inputs.mask_BT,
                position_ids=inputs.position_ids_BT,
                use_cache=True,
                logits_to_keep=1,
                **{CACHE_ARGUMENT: self._cache},
            )
        else:
            self._mask_BT = torch.cat([self._mask_BT, torch.ones_like(self._mask_BT[:, :1])], dim=1)
            output = self.backbone(
                input_ids=self._last_B1,
                attention_mask=self._mask_BT,
                position_ids=self._next_position_B1,
                use_cache=True,
                logits_to_keep=1,
                **{CACHE_ARGUMENT: self._cache},
            )
            self._next_position_B1 = self._next_position_B1 + 1
        logits_BW: Tensor = output.logits[:, -1].float()
        return logits_BW

    def _finished_B(self, device: torch.device) -> Tensor:
        return torch.tensor([reason is not None for reason in self.finish_reasons], device=device)


class TextAssembler:
    """Token ids of one reply to text, piece by piece, never splitting a character and never changing what was said.

    Only the tokens since the last certain character are decoded again, behind a few that came before them: some
    tokenizers treat the first token of what they decode in a way of its own.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.text = ""
        self._ids: list[int] = []
        self._behind = 0
        """Tokens of ``_ids`` whose text has been said."""

    def push(self, token_id: int) -> str:
        """The text that has become certain with this token; often empty within a multi-byte character."""
        self._ids.append(token_id)
        decoded = self._decoded(self._ids)
        # A trailing replacement character may be half of a character whose other bytes are still to come.
        if decoded.endswith("\ufffd"):
            return ""
        piece = decoded[len(self._decoded(self._ids[: self._behind])) :]
        self._ids, self._behind = self._ids[self._behind :], len(self._ids) - self._behind
        return self._said(piece)

    def finish(self) -> str:
        """What was held back."""
        held = self._decoded(self._ids)[len(self._decoded(self._ids[: self._behind])) :]
        self._behind = len(self._ids)
        return self._said(held)

    def _said(self, piece: str) -> str:
        if not self.text:
            piece = piece.lstrip()
        self.text += piece
        return piece

    def _decoded(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def finished(decoder: Decoder, row: int, text: str) -> Generation:
    """The result of one row of a decoder that is done."""
    reason = decoder.finish_reasons[row]
    assert reason is not None, "a row was read before it finished"
    return Generation(text=text, token_ids=tuple(decoder.token_ids[row]), finish_reason=reason)
