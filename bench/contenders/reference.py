"""Generates replies with static batches: a batch starts and ends together, in the cache of transformers.

The slow path with which the engine's generator is compared: in speed by ``generation``, in every token by tests. It
stands here because the product does not run it, and because measurements must not depend on tests; tests import it.
Shapes: B batch · T positions · D LLM width · W vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import DynamicCache, LlavaForConditionalGeneration

from safety_core.engine.generation.text_assembler import TextAssembler
from safety_core.errors import GenerationError, PromptError
from safety_core.inputs.prompt_encoding import EncodedPrompt
from safety_core.model.llama_step import CACHE_ARGUMENT
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling, choose_tokens, create_random_source
from safety_core.model.vision.assembly import LmInputs
from safety_core.model.vision.tower import VisionFeatures

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One finished reply."""

    text: str
    """The reply, without special tokens."""

    token_ids: tuple[int, ...]
    """The generated tokens, including the end-of-sequence token."""

    finish_reason: FinishReason
    """``stop``: the model ended; ``length``: out of tokens."""


class Decoder:
    """Autoregressive decoding of one batch.

    Args:
        backbone: the language model; only its text half runs.
        inputs: the result of :meth:`SafeLlava.build_inputs`.
        sampling: how tokens are chosen.
        eos_ids: tokens that end a reply.
        banned_ids: tokens that are never generated.

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
        self._draws = [create_random_source(sampling.seed) for _ in range(batch)]
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
        """Generate the next token of every row; None for rows that have finished.

        Raises:
            GenerationError: the language model's logits are not finite.
        """
        logits_BW = self._forward()
        if not bool(logits_BW.isfinite().all(1).logical_or(self._mark_finished(logits_BW.device)).all()):
            raise GenerationError("the language model's output is not finite")
        if self.banned_ids:
            logits_BW[:, self.banned_ids] = float("-inf")
        running = [row for row, reason in enumerate(self.finish_reasons) if reason is None]
        draws = [self._draws[row] for row in running]
        made: list[int | None] = [None] * len(self.finish_reasons)
        for row, token in zip(
            running, choose_tokens(logits_BW[running], [self.sampling] * len(running), draws), strict=True
        ):
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

    def _mark_finished(self, device: torch.device) -> Tensor:
        return torch.tensor([reason is not None for reason in self.finish_reasons], device=device)


@torch.inference_mode()
def generate(
    model: SafeLlava,
    encoded: Sequence[EncodedPrompt],
    vision: VisionFeatures | None,
    images_per_sample: Sequence[int],
    *,
    inject: bool | Sequence[bool] = True,
    eos_ids: Sequence[int] | None = None,
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int | None = None,
) -> list[Generation]:
    """Generate the replies of a batch; arguments as of :meth:`SafeLlava.build_inputs`, Decoder and Sampling.

    Raises:
        PromptError: a sampling option is out of range, or a prompt fills the context.
        GenerationError: the language model's output is not finite.
    """
    decoder = Decoder(
        model.backbone,
        model.build_inputs(encoded, vision, images_per_sample, inject=inject),
        Sampling(max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p, seed=seed),
        eos_ids=model.eos_ids if eos_ids is None else eos_ids,
        banned_ids=model.banned_ids,
    )
    while not decoder.done:
        decoder.step()
    replies = []
    for ids, reason in zip(decoder.token_ids, decoder.finish_reasons, strict=True):
        assert reason is not None
        assembler = TextAssembler(model.tokenizer)
        for token in ids:
            assembler.push(token)
        assembler.finish()
        replies.append(Generation(text=assembler.text, token_ids=tuple(ids), finish_reason=reason))
    return replies
