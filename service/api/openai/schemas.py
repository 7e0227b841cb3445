"""Requests and replies of the OpenAI-compatible paths: ``/v1/chat/completions`` and ``/v1/moderations``.

A request may have every field that OpenAI documents, and those that common clients and servers add. A field without a
counterpart here is accepted with values that change nothing and rejected with any other, so that no option is silently
ignored and no text reaches the model unjudged.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, JsonValue, Tag
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from service.api.schemas import (
    EMPTY,
    SEED_LIMIT,
    AssessmentOut,
    ChatTimings,
    Language,
    Neutral,
    Picture,
    PolicyName,
    Sent,
    kind_of,
    neutral,
    whole,
)
from service.ingress.validation import BRANCH
from service.settings.values import RefusalIn

_NO_EFFECT = "Accepted but has no effect."

Label = Annotated[str, Field(max_length=256, description=_NO_EFFECT)]
"""A name or key that a client attaches to its request."""

Hint = Annotated[str, Field(max_length=64, description=_NO_EFFECT)]
"""A short value that only tunes OpenAI's servers, such as their caches."""

Off = Annotated[Any, neutral(False)]
"""A switch for an unsupported feature."""

Zero = Annotated[Any, neutral(0)]
"""A number that must be neutral."""

Null = Annotated[Any, neutral()]
"""An unsupported feature that is requested by the mere presence of the field."""

Empty = Annotated[Any, EMPTY]
"""An unsupported feature that is not requested while the field is empty."""

NO_THINKING = Neutral(("", [], {}, {"enable_thinking": False}, {"thinking": False}), members=True)
"""Arguments of a chat template that ask for no reasoning, as clients of models that reason send them."""

NO_REASONING = Neutral(("", [], {}, {"effort": "none"}, {"enabled": False}), members=True)
"""Settings of reasoning that ask for none."""

StopString = Annotated[str, Field(max_length=64)]
"""What may become one is held back and then said in one piece: a long one would thin what the output rail judges."""

_UNSUPPORTED_PARTS = frozenset(
    {
        "audio", "document", "file", "function", "image", "image_file", "input_audio", "input_file", "input_image",
        "input_text", "input_video", "output_text", "reasoning", "redacted_thinking", "refusal", "thinking",
        "tool_call", "tool_result", "tool_use", "video", "video_url",
    }
)  # fmt: skip
"""Types of content parts of this and related interfaces: an error may name them."""


class Received(BaseModel):
    """What a client sends; a field that nobody knows, or whose value has another type, is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CacheHint(Received):
    """A breakpoint of a provider's prompt cache; has no effect here."""

    type: Hint | None = None
    mode: Hint | None = None
    ttl: Hint | None = None


class _PartBase(Received):
    """Fields that any part may have."""

    id: Label | None = None
    prompt_cache_breakpoint: CacheHint | None = None
    cache_control: CacheHint | None = None
    annotations: Empty = None
    citations: Empty = None


class TextPart(_PartBase):
    """A piece of text."""

    type: Literal["text"]
    text: str


class ImageUrl(Received):
    """Where a picture is: a ``data:`` URL, or ``https:`` where the operator allows it."""

    url: Picture
    detail: Literal["auto", "low", "high", "original"] | None = Field(
        default=None, description="Accepted but has no effect: every picture is resized to the model's input size."
    )
    format: Label | None = None


class ImagePart(_PartBase):
    """A picture."""

    type: Literal["image_url"]
    image_url: ImageUrl


class RefusalPart(_PartBase):
    """The text of an assistant's refusal."""

    type: Literal["refusal"]
    refusal: str


def _refuse_part(value: object) -> object:
    """Report a part of an unsupported type; the type is named if it is in a fixed list."""
    if isinstance(value, str) and value in _UNSUPPORTED_PARTS:
        raise PydanticCustomError("part_type", "Parts of type {type} are not supported", {"type": value})
    raise PydanticCustomError("part_type", "The type of this part is unknown")


class UnsupportedPart(BaseModel):
    """A part of any other type: always an error, at its field ``type``."""

    type: Annotated[str, BeforeValidator(_refuse_part)]


def _part_tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    if kind is None and not isinstance(value, Mapping):
        return None
    return BRANCH + (kind if kind in ("text", "image_url", "refusal") else "unsupported")


_NOT_A_PART: dict[str, Any] = {
    "custom_error_type": "part_kind",
    "custom_error_message": "Input should be an object with a type",
}

Part = Annotated[
    Annotated[TextPart, Tag("=text")]
    | Annotated[ImagePart, Tag("=image_url")]
    | Annotated[RefusalPart, Tag("=refusal")]
    | SkipJsonSchema[Annotated[UnsupportedPart, Tag("=unsupported")]],
    Discriminator(_part_tag, **_NOT_A_PART),
]

Content = Annotated[
    Annotated[str, Tag("=string")] | Annotated[list[Part], Tag("=array")],
    Discriminator(
        kind_of,
        custom_error_type="content_kind",
        custom_error_message="Input should be a string or an array of parts",
    ),
]


def _only_parts(*kinds: str) -> JsonValue:
    """Schema of a content whose parts are limited to some types."""
    return {
        "anyOf": [{"type": ["string", "null"]}, {"items": {"properties": {"type": {"enum": list(kinds)}}}}],
    }


_NO_REFUSAL: JsonValue = {"enum": [None, ""]}

_BY_ROLE: JsonValue = [
    {
        "properties": {
            "role": {"const": "user"},
            "content": _only_parts("text", "image_url"),
            "refusal": _NO_REFUSAL,
        }
    },
    {
        "properties": {
            "role": {"enum": ["system", "developer"]},
            "content": _only_parts("text"),
            "refusal": _NO_REFUSAL,
        }
    },
    {"properties": {"role": {"const": "assistant"}, "content": _only_parts("text", "refusal")}},
]
"""Content that :func:`service.api.openai.messages.convert_messages` accepts from each role."""


def _no_tool(role: object) -> object:
    if role in ("tool", "function"):
        raise PydanticCustomError("tool_role", "Tools are not supported, and neither are messages with this role")
    return role


class Message(Received):
    """One message of a conversation."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _BY_ROLE})

    role: Annotated[Literal["user", "system", "developer", "assistant"], BeforeValidator(_no_tool)]
    content: Content | None = None
    refusal: str | None = Field(default=None, description="What a refused message of the assistant said.")
    name: Label | None = None
    id: Label | None = None
    cache_control: CacheHint | None = None

    tool_calls: Empty = None
    tool_call_id: Empty = None
    function_call: Null = None
    annotations: Empty = None
    audio: Null = None
    parsed: Null = None

    reasoning: Empty = None
    reasoning_content: Empty = None
    reasoning_details: Empty = None
    reasoning_items: Empty = None
    thinking: Empty = None
    thinking_blocks: Empty = None
    images: Empty = None
    provider_specific_fields: Empty = None
    additional_kwargs: Empty = None
    metadata: Empty = None
    prefix: Off = None
    partial: Off = None


class StreamOptions(Received):
    """What else a stream should carry."""

    include_usage: bool | None = None
    include_obfuscation: Off = None
    continuous_usage_stats: Off = None


class _OfOtherServers(Received):
    """Options of other servers with OpenAI's protocol, as clients send them with their defaults."""

    add_generation_prompt: Annotated[Any, neutral(True)] = None
    add_special_tokens: Off = None
    allowed_token_ids: Empty = None
    bad_words: Empty = None
    best_of: Annotated[Any, neutral(1)] = None
    cache_prompt: bool | None = None
    chat_template: Null = None
    chat_template_kwargs: Annotated[Any, NO_THINKING] = None
    continue_final_message: Off = None
    data_sources: Empty = None
    documents: Empty = None
    early_stopping: Off = None
    echo: Off = None
    enable_thinking: Off = None
    extra_body: Empty = None
    format: Empty = None
    guided_choice: Empty = None
    guided_grammar: Empty = None
    guided_json: Empty = None
    guided_regex: Empty = None
    ignore_eos: Off = None
    include_reasoning: Off = None
    include_stop_str_in_output: Off = None
    length_penalty: Annotated[Any, neutral(1)] = None
    logits_processors: Empty = None
    min_p: Zero = None
    min_tokens: Zero = None
    mirostat: Zero = None
    mm_processor_kwargs: Empty = None
    options: Empty = None
    plugins: Empty = None
    priority: Zero = None
    prompt_logprobs: Zero = None
    provider: Empty = None
    reasoning: Annotated[Any, NO_REASONING] = None
    repeat_penalty: Annotated[Any, neutral(1)] = None
    repetition_penalty: Annotated[Any, neutral(1)] = None
    request_id: Label | None = None
    return_token_ids: Off = None
    return_tokens_as_token_ids: Off = None
    safe_prompt: Off = None
    skip_special_tokens: Annotated[Any, neutral(True)] = None
    spaces_between_special_tokens: Annotated[Any, neutral(True)] = None
    stop_token_ids: Empty = None
    structured_outputs: Empty = None
    tfs_z: Annotated[Any, neutral(1)] = None
    think: Off = None
    thinking: Annotated[Any, neutral({"type": "disabled"})] = None
    top_a: Zero = None
    top_k: Annotated[Any, neutral(-1, 0)] = None
    transforms: Empty = None
    truncate_prompt_tokens: Null = None
    typical_p: Annotated[Any, neutral(1)] = None
    use_beam_search: Off = None


_ONE_LIMIT: JsonValue = [{"properties": {name: {"type": "null"}}} for name in ("max_tokens", "max_completion_tokens")]
"""They mean the same."""


class CompletionRequest(_OfOtherServers):
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
    stop: (
        Annotated[
            Annotated[StopString, Tag("=string")] | Annotated[list[StopString], Field(max_length=4), Tag("=array")],
            Discriminator(
                kind_of,
                custom_error_type="stop_kind",
                custom_error_message="Input should be a string or an array of strings",
            ),
        ]
        | None
    ) = None
    seed: int | None = Field(default=None, ge=-SEED_LIMIT, lt=SEED_LIMIT)
    policy: PolicyName = None
    language: Language = None
    refusal_in: RefusalIn | None = Field(
        default=None,
        description="Field of the message that carries a refusal; null selects the operator's setting.",
    )

    user: Label | None = None
    safety_identifier: Label | None = None
    metadata: dict[str, str] | None = Field(default=None, max_length=16, description=_NO_EFFECT)
    prompt_cache_key: Label | None = None
    prompt_cache_options: CacheHint | None = None
    prompt_cache_retention: Hint | None = None

    audio: Null = None
    frequency_penalty: Zero = None
    function_call: Annotated[Any, neutral("none", "auto")] = None
    functions: Empty = None
    logit_bias: Empty = None
    logprobs: Off = None
    modalities: Annotated[Any, neutral(["text"])] = None
    moderation: Null = None
    parallel_tool_calls: bool | None = None
    prediction: Null = None
    presence_penalty: Zero = None
    reasoning_effort: Annotated[Any, neutral("none")] = None
    response_format: Annotated[Any, neutral({"type": "text"})] = None
    service_tier: Annotated[Any, neutral("auto", "default")] = None
    store: Off = None
    tool_choice: Annotated[Any, neutral("none", "auto")] = None
    tools: Empty = None
    top_logprobs: Zero = None
    verbosity: Annotated[Any, neutral("medium")] = None
    web_search_options: Null = None


def _moderation_tag(value: object) -> str | None:
    tag = _part_tag(value)
    return "=unsupported" if tag == "=refusal" else tag


ModerationPart = Annotated[
    Annotated[TextPart, Tag("=text")]
    | Annotated[ImagePart, Tag("=image_url")]
    | SkipJsonSchema[Annotated[UnsupportedPart, Tag("=unsupported")]],
    Discriminator(_moderation_tag, **_NOT_A_PART),
]


def _input_tag(value: object) -> str:
    """One text, several texts, or parts; decided by the first item, because a list has items of one kind."""
    if isinstance(value, list):
        return "=parts" if value and not isinstance(value[0], str) else "=texts"
    return kind_of(value)


ModerationInput = Annotated[
    Annotated[str, Tag("=string")]
    | Annotated[list[str], Tag("=texts")]
    | Annotated[list[ModerationPart], Tag("=parts")],
    Discriminator(
        _input_tag,
        custom_error_type="input_kind",
        custom_error_message="Input should be a string, an array of strings or an array of parts",
    ),
]


class ModerationRequest(Received):
    """A request for ``/v1/moderations``: texts one by one, or one item of texts and pictures together."""

    input: ModerationInput = Field(examples=["What is it?"])
    model: str | None = Field(
        default=None,
        max_length=256,
        description=(
            "Name of the served checkpoint, or of an OpenAI moderation model (dated ones too), which selects the same."
        ),
    )
    policy: PolicyName = None


class GuardOut(Sent):
    """What the guard found, beside the fields that the protocol has."""

    decision: str
    images_received: int
    images_scanned: int
    dropped_messages: list[int] | None = Field(
        default=None,
        description="Indices of earlier messages that the model did not read: refused questions and their answers.",
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
