"""Request of ``/v1/chat/completions``."""

from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, JsonValue, Tag

from service.api.openai.schemas.fields import (
    NO_EFFECT,
    NO_REASONING,
    NO_THINKING,
    CacheHint,
    Empty,
    Hint,
    Label,
    Null,
    Off,
    RequestModel,
    Zero,
)
from service.api.openai.schemas.messages import Message
from service.api.schemas.fields import (
    SEED_LIMIT,
    Language,
    PolicyName,
    accept_only,
    read_whole_numbers,
    tag_json_type,
)
from service.settings.values import RefusalIn

StopString = Annotated[str, Field(max_length=64)]
"""Text that may be the start of a stop string is held back; a long stop string would delay the output rail."""


class StreamOptions(RequestModel):
    """Options of a stream."""

    include_usage: bool | None = None
    include_obfuscation: Off = None
    continuous_usage_stats: Off = None


class OtherServerOptions(RequestModel):
    """Options of other OpenAI-compatible servers, which clients send with their default values."""

    add_generation_prompt: Annotated[Any, accept_only(True)] = None
    add_special_tokens: Off = None
    allowed_token_ids: Empty = None
    bad_words: Empty = None
    best_of: Annotated[Any, accept_only(1)] = None
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
    length_penalty: Annotated[Any, accept_only(1)] = None
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
    repeat_penalty: Annotated[Any, accept_only(1)] = None
    repetition_penalty: Annotated[Any, accept_only(1)] = None
    request_id: Label | None = None
    return_token_ids: Off = None
    return_tokens_as_token_ids: Off = None
    safe_prompt: Off = None
    skip_special_tokens: Annotated[Any, accept_only(True)] = None
    spaces_between_special_tokens: Annotated[Any, accept_only(True)] = None
    stop_token_ids: Empty = None
    structured_outputs: Empty = None
    tfs_z: Annotated[Any, accept_only(1)] = None
    think: Off = None
    thinking: Annotated[Any, accept_only({"type": "disabled"})] = None
    top_a: Zero = None
    top_k: Annotated[Any, accept_only(-1, 0)] = None
    transforms: Empty = None
    truncate_prompt_tokens: Null = None
    typical_p: Annotated[Any, accept_only(1)] = None
    use_beam_search: Off = None


_ONE_LIMIT: JsonValue = [{"properties": {name: {"type": "null"}}} for name in ("max_tokens", "max_completion_tokens")]
"""The two fields have the same meaning; a request may have one of them."""


class CompletionRequest(OtherServerOptions):
    """A request for ``/v1/chat/completions``."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _ONE_LIMIT})

    _read_whole_numbers = read_whole_numbers("max_tokens", "max_completion_tokens", "n", "seed")

    model: str = Field(max_length=256, description="Name of the served checkpoint; see `/v1/models`.")
    messages: list[Message] = Field(min_length=1, examples=[[{"role": "user", "content": "What is it?"}]])
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    n: int | None = Field(default=None, ge=1, description="Number of replies to generate.")
    stop: (
        Annotated[
            Annotated[StopString, Tag("=string")] | Annotated[list[StopString], Field(max_length=4), Tag("=array")],
            Discriminator(
                tag_json_type,
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
    metadata: dict[str, str] | None = Field(default=None, max_length=16, description=NO_EFFECT)
    prompt_cache_key: Label | None = None
    prompt_cache_options: CacheHint | None = None
    prompt_cache_retention: Hint | None = None

    audio: Null = None
    frequency_penalty: Zero = None
    function_call: Annotated[Any, accept_only("none", "auto")] = None
    functions: Empty = None
    logit_bias: Empty = None
    logprobs: Off = None
    modalities: Annotated[Any, accept_only(["text"])] = None
    moderation: Null = None
    parallel_tool_calls: bool | None = None
    prediction: Null = None
    presence_penalty: Zero = None
    reasoning_effort: Annotated[Any, accept_only("none")] = None
    response_format: Annotated[Any, accept_only({"type": "text"})] = None
    service_tier: Annotated[Any, accept_only("auto", "default")] = None
    store: Off = None
    tool_choice: Annotated[Any, accept_only("none", "auto")] = None
    tools: Empty = None
    top_logprobs: Zero = None
    verbosity: Annotated[Any, accept_only("medium")] = None
    web_search_options: Null = None
