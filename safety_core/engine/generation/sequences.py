"""Requests to the generator, and the state of each running sequence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from safety_core.engine.generation.stop_strings import StopStrings
from safety_core.engine.generation.text_assembler import TextAssembler
from safety_core.engine.messages import FinishReason
from safety_core.inputs.prompt_encoding import EncodedPrompt
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.named_policies import ActivePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """A request for a reply."""

    prompt: EncodedPrompt
    """The conversation."""

    images: VisionFeatures | None = None
    """Features of the conversation's images, in order."""

    inject: bool = True
    """Whether the safety tokens are inserted in front of each image."""

    sampling: Sampling = field(default_factory=Sampling)
    """How tokens are chosen."""

    stop: tuple[str, ...] = ()
    """Strings that end the reply where they occur; the reply does not contain them."""

    policy: ActivePolicy | None = None
    """The policy of the output rail for the reply; the generator does not read it."""


@dataclass(slots=True, kw_only=True, eq=False)
class ReplySequence:
    """A reply that is being generated."""

    request: GenerationRequest
    """The request."""

    prompt_positions: int
    """Positions of the prompt: words, images and safety tokens."""

    limit: int
    """Maximum number of tokens: the requested number, or what fits into the context."""

    draws: torch.Generator
    """The random source for sampling."""

    assembler: TextAssembler
    """Converts tokens to text."""

    stop_strings: StopStrings
    """Ends the text at a stop string."""

    text: str = ""
    """The reply so far."""

    token_ids: list[int] = field(default_factory=list)
    """The tokens so far."""

    finish_reason: FinishReason | None = None
    """Why the reply ended; None while it runs, and if it failed."""

    failure: Exception | None = None
    """The error that the reply failed with."""

    harmful: ClassVar[bool] = False
    """False: only the output rail judges replies."""

    @property
    def done(self) -> bool:
        """Whether the reply has ended or failed."""
        return self.finish_reason is not None or self.failure is not None

    @property
    def reserved(self) -> int:
        """Maximum number of positions of prompt and reply."""
        return self.prompt_positions + self.limit

    @property
    def cached(self) -> int:
        """Positions that the language model has read: all but the newest token."""
        return self.prompt_positions + len(self.token_ids) - 1


def count_prompt_positions(model: SafeLlava, request: GenerationRequest) -> int:
    """Count the positions for the language model: each placeholder stands for [safety tokens ; image features]."""
    if request.images is None:
        return len(request.prompt.input_ids)
    tokens = model.safety.llm_tokens_SD
    injected = 0 if tokens is None or not request.inject else len(tokens)
    per_image = request.images.projected_BPD.shape[1] + injected - 1
    return len(request.prompt.input_ids) + len(request.images) * per_image
