"""Replies of the OpenAI-compatible paths."""

from typing import Literal

from pydantic import Field

from service.api.schemas.replies import AssessmentOut, ChatTimings, ResponseModel


class GuardOut(ResponseModel):
    """The guard's result, for which the protocol has no field."""

    decision: str
    images_received: int
    images_scanned: int
    dropped_messages: list[int] | None = Field(
        default=None,
        description="Indices of earlier messages that the model did not read: refused questions and their answers.",
    )
    risk: AssessmentOut | None = None
    timings: ChatTimings | None = None


class CompletionUsage(ResponseModel):
    """Tokens of the prompt, counted once, and generated tokens of all choices."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class MessageOut(ResponseModel):
    """A message of the assistant."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None


class ChoiceOut(ResponseModel):
    """One of the generated replies."""

    index: int
    message: MessageOut
    finish_reason: str = Field(description="`stop`, `length` or `content_filter`.")
    logprobs: None


class Completion(ResponseModel):
    """Reply of ``/v1/chat/completions``."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChoiceOut]
    usage: CompletionUsage
    safevlm: GuardOut


class DeltaOut(ResponseModel):
    """The piece of a message in a chunk."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    refusal: str | None = None


class ChunkChoice(ResponseModel):
    """The piece of a reply in a chunk."""

    index: int
    delta: DeltaOut
    finish_reason: str | None
    logprobs: None


class CompletionChunk(ResponseModel):
    """One event of a streamed completion."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | None = None
    safevlm: GuardOut | None = Field(default=None, description="In the first chunk.")


class ModerationResult(ResponseModel):
    """Result for one input."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[str]]
    safevlm: GuardOut


class Moderation(ResponseModel):
    """Reply of ``/v1/moderations``."""

    id: str
    model: str
    results: list[ModerationResult]
