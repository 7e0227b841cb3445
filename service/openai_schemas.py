"""Requests and replies of the OpenAI-compatible paths: ``/v1/chat/completions`` and ``/v1/moderations``.

What a client may send is taken only as far as it can be honoured: an option that would have no effect is accepted with
the value that has none, and refused with any other, so that nobody is silently ignored.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.schemas import LANGUAGE, POLICY, AssessmentOut, ChatTimings, Sent

_SEED_LIMIT = 2**63


class Received(BaseModel):
    """What a client sends; a field that nobody knows is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TextPart(Received):
    """A piece of text."""

    type: Literal["text"]
    text: str


class ImageUrl(Received):
    """Where a picture is: a ``data:`` URL, or ``https:`` where the operator allows it."""

    url: str
    detail: Literal["auto", "low", "high"] | None = Field(
        default=None, description="Accepted and without effect: every picture is seen at the model's own size."
    )


class ImagePart(Received):
    """A picture."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class Message(Received):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None
    refusal: str | None = Field(default=None, description="What a refused message of the assistant said.")
    name: str | None = Field(default=None, max_length=256, description="Accepted and without effect.")


class StreamOptions(Received):
    """What else a stream should carry."""

    include_usage: bool = False
    include_obfuscation: Literal[False] | None = None


class TextFormat(Received):
    """The one form of reply there is."""

    type: Literal["text"]


class CompletionRequest(Received):
    """A request for ``/v1/chat/completions``."""

    model: str = Field(max_length=256, description="Name of the served checkpoint; see `/v1/models`.")
    messages: list[Message] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    n: int | None = Field(default=None, ge=1, description="Replies to make.")
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    seed: int | None = Field(default=None, ge=-_SEED_LIMIT, lt=_SEED_LIMIT)
    user: str | None = Field(default=None, max_length=256, description="Accepted and without effect.")
    policy: str | None = Field(default=None, max_length=64, description=POLICY)
    language: str | None = Field(default=None, max_length=64, description=LANGUAGE)
    metadata: dict[str, str] | None = Field(default=None, max_length=16, description="Accepted and without effect.")

    frequency_penalty: Literal[0] | None = None
    presence_penalty: Literal[0] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    logprobs: Literal[False] | None = None
    response_format: TextFormat | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    store: Literal[False] | None = None
    service_tier: Literal["auto", "default"] | None = None


class ModerationRequest(Received):
    """A request for ``/v1/moderations``: texts one by one, or one item of texts and pictures together."""

    input: str | list[str] | list[Part]
    model: str | None = Field(default=None, max_length=256)
    policy: str | None = Field(default=None, max_length=64, description=POLICY)


class GuardOut(Sent):
    """What the guard found, beside the fields that the protocol has."""

    decision: str
    images_received: int
    images_scanned: int
    risk: AssessmentOut | None = None
    timings: ChatTimings | None = None


class CompletionUsage(Sent):
    """Tokens that the language model read, once, and made, over all choices."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class MessageOut(Sent):
    """A message of the assistant."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None


class ChoiceOut(Sent):
    """One of the replies."""

    index: int
    message: MessageOut
    finish_reason: str = Field(description="`stop`, `length` or `content_filter`.")
    logprobs: None


class Completion(Sent):
    """Reply of ``/v1/chat/completions``."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChoiceOut]
    usage: CompletionUsage
    safevlm: GuardOut


class DeltaOut(Sent):
    """What a chunk adds to a message."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    refusal: str | None = None


class ChunkChoice(Sent):
    """What a chunk adds to one of the replies."""

    index: int
    delta: DeltaOut
    finish_reason: str | None
    logprobs: None


class CompletionChunk(Sent):
    """One event of a streamed completion."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | None = None
    safevlm: GuardOut | None = Field(default=None, description="In the first chunk.")


class ModerationResult(Sent):
    """What was found in one input."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[str]]
    safevlm: GuardOut


class Moderation(Sent):
    """Reply of ``/v1/moderations``."""

    id: str
    model: str
    results: list[ModerationResult]
