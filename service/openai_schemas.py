"""Requests and replies of the OpenAI-compatible paths: ``/v1/chat/completions`` and ``/v1/moderations``.

What a client may send is taken only as far as it can be honoured: an option that would have no effect is accepted with
the value that has none, and refused with any other, so that nobody is silently ignored.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from service.schemas import (
    NOT_BLANK,
    SEED_LIMIT,
    AssessmentOut,
    ChatTimings,
    Language,
    Picture,
    PolicyName,
    Sent,
    whole,
)


def _is_off(value: bool) -> bool:
    if value:
        raise PydanticCustomError("literal_error", "Input should be false")
    return value


Off = Annotated[bool, AfterValidator(_is_off), Field(json_schema_extra={"const": False})]
"""An option that we do not have; a literal would take 0 for False."""

Zero = Annotated[float, Field(ge=0, le=0)]
"""A number that would change nothing; a literal would take False for 0."""


Nothing = Annotated[list[Any], Field(max_length=0)]
"""Of what we do not have."""

StopString = Annotated[str, Field(max_length=64)]
"""What may become one is held back and then said in one piece: a long one would thin what the output rail judges."""


class Received(BaseModel):
    """What a client sends; a field that nobody knows, or whose value has another type, is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TextPart(Received):
    """A piece of text."""

    type: Literal["text"]
    text: str


class ImageUrl(Received):
    """Where a picture is: a ``data:`` URL, or ``https:`` where the operator allows it."""

    url: Picture
    detail: Literal["auto", "low", "high"] | None = Field(
        default=None, description="Accepted and without effect: every picture is seen at the model's own size."
    )


class ImagePart(Received):
    """A picture."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


_NO_PICTURES: JsonValue = {
    "anyOf": [{"type": ["string", "null"]}, {"items": {"properties": {"type": {"const": "text"}}}}]
}
_SAID: JsonValue = {
    "anyOf": [
        NOT_BLANK,
        {"type": "array", "contains": {"properties": {"text": NOT_BLANK}, "required": ["text"]}},
    ]
}
_SHOWN: JsonValue = {"type": "array", "contains": {"required": ["image_url"]}}

_BY_ROLE: JsonValue = [
    {
        "properties": {"role": {"const": "user"}, "content": {"anyOf": [_SAID, _SHOWN]}, "refusal": {"type": "null"}},
        "required": ["content"],
    },
    {
        "properties": {
            "role": {"enum": ["system", "developer"]},
            "content": {"allOf": [_NO_PICTURES, _SAID]},
            "refusal": {"type": "null"},
        },
        "required": ["content"],
    },
    {
        "properties": {"role": {"const": "assistant"}, "content": {"allOf": [_NO_PICTURES, _SAID]}},
        "required": ["content"],
    },
    {
        "properties": {"role": {"const": "assistant"}, "content": _NO_PICTURES, "refusal": NOT_BLANK},
        "required": ["refusal"],
    },
]
"""What :func:`service.dialogue.dialogue_of` takes from whom."""


class Message(Received):
    """One message of a conversation."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _BY_ROLE})

    role: Literal["user", "system", "developer", "assistant"]
    content: str | list[Part] | None = None
    refusal: str | None = Field(default=None, description="What a refused message of the assistant said.")
    name: str | None = Field(default=None, max_length=256, description="Accepted and without effect.")

    tool_calls: Nothing | None = None
    function_call: None = None
    annotations: Nothing | None = None
    audio: None = None


class StreamOptions(Received):
    """What else a stream should carry."""

    include_usage: bool = False
    include_obfuscation: Off | None = None


class TextFormat(Received):
    """The one form of reply there is."""

    type: Literal["text"]


_ONE_LIMIT: JsonValue = [{"properties": {name: {"type": "null"}}} for name in ("max_tokens", "max_completion_tokens")]
"""They mean the same."""


class CompletionRequest(Received):
    """A request for ``/v1/chat/completions``."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _ONE_LIMIT})

    _whole = whole("max_tokens", "max_completion_tokens", "n", "seed")

    model: str = Field(max_length=256, description="Name of the served checkpoint; see `/v1/models`.")
    messages: list[Message] = Field(min_length=1, examples=[[{"role": "user", "content": "What is it?"}]])
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    n: int | None = Field(default=None, ge=1, description="Replies to make.")
    stop: StopString | Annotated[list[StopString], Field(max_length=4)] | None = None
    seed: int | None = Field(default=None, ge=-SEED_LIMIT, lt=SEED_LIMIT)
    user: str | None = Field(default=None, max_length=256, description="Accepted and without effect.")
    policy: PolicyName = None
    language: Language = None
    metadata: dict[str, str] | None = Field(default=None, max_length=16, description="Accepted and without effect.")

    frequency_penalty: Zero | None = None
    presence_penalty: Zero | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    logprobs: Off | None = None
    response_format: TextFormat | None = None
    tools: Nothing | None = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    store: Off | None = None
    service_tier: Literal["auto", "default"] | None = None


class ModerationRequest(Received):
    """A request for ``/v1/moderations``: texts one by one, or one item of texts and pictures together."""

    input: str | list[str] | list[Part] = Field(examples=["What is it?"])
    model: str | None = Field(default=None, max_length=256)
    policy: PolicyName = None


class GuardOut(Sent):
    """What the guard found, beside the fields that the protocol has."""

    decision: str
    images_received: int
    images_scanned: int
    dropped_messages: list[int] | None = Field(
        default=None,
        description="Indices of earlier messages that were left out: refused questions and the answers to them.",
    )
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
