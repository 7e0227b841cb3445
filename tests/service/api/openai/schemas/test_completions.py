"""What changes nothing is taken, from every field that OpenAI documents; what would be ignored or unjudged is not."""

import json
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest
from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionContentPartImageParam,
    ChatCompletionContentPartRefusalParam,
    ChatCompletionContentPartTextParam,
    ChatCompletionDeveloperMessageParam,
    ChatCompletionStreamOptionsParam,
    ChatCompletionSystemMessageParam,
    ChatCompletionUserMessageParam,
)
from openai.types.chat.chat_completion_content_part_image_param import ImageURL
from openai.types.chat.completion_create_params import CompletionCreateParamsBase, CompletionCreateParamsStreaming
from openai.types.moderation_create_params import ModerationCreateParams
from pydantic import BaseModel, ValidationError

from service.api.litellm.schemas import GuardrailRequest
from service.api.openai.schemas.completions import CompletionRequest, StreamOptions
from service.api.openai.schemas.messages import Message
from service.api.openai.schemas.moderations import ModerationRequest
from service.api.openai.schemas.parts import ImagePart, ImageUrl, RefusalPart, TextPart
from service.api.schemas.requests import FormRequest, JsonRequest
from service.ingress.validation import BRANCH

ASKED: dict[str, Any] = {"model": "fake", "messages": [{"role": "user", "content": "What is it?"}]}


def taken(**options: Any) -> CompletionRequest:
    return CompletionRequest.model_validate_json(json.dumps(ASKED | options))


@pytest.mark.parametrize(
    ("documented", "model"),
    [
        (CompletionCreateParamsBase, CompletionRequest),
        (CompletionCreateParamsStreaming, CompletionRequest),
        (ChatCompletionStreamOptionsParam, StreamOptions),
        (ChatCompletionSystemMessageParam, Message),
        (ChatCompletionDeveloperMessageParam, Message),
        (ChatCompletionUserMessageParam, Message),
        (ChatCompletionAssistantMessageParam, Message),
        (ChatCompletionContentPartTextParam, TextPart),
        (ChatCompletionContentPartImageParam, ImagePart),
        (ChatCompletionContentPartRefusalParam, RefusalPart),
        (ImageURL, ImageUrl),
        (ModerationCreateParams, ModerationRequest),
    ],
)
def test_every_documented_field_is_known(documented: type, model: type[BaseModel]) -> None:
    assert set(get_type_hints(documented)) <= set(model.model_fields)


def test_every_optional_field_of_a_request_may_be_null() -> None:
    optional = [name for name, field in CompletionRequest.model_fields.items() if not field.is_required()]
    taken(**dict.fromkeys(optional))
    for name in optional:
        taken(**{name: None})
    of_message = [name for name, field in Message.model_fields.items() if not field.is_required()]
    Message.model_validate({"role": "assistant", **dict.fromkeys(of_message)})


@pytest.mark.parametrize(
    "options",
    [
        {"store": False, "logprobs": False, "frequency_penalty": 0, "presence_penalty": 0.0, "top_logprobs": 0},
        {"stream_options": {"include_obfuscation": False, "include_usage": None}},
        {"max_tokens": 5.0, "n": 1.0, "temperature": 1},
        {"stop": ["a" * 64] * 4, "tools": [], "functions": [], "logit_bias": {}},
        {"stop": []},
        {
            "modalities": ["text"],
            "response_format": {"type": "text"},
            "verbosity": "medium",
            "reasoning_effort": "none",
        },
        {"function_call": "none", "tool_choice": "auto", "parallel_tool_calls": True, "service_tier": "default"},
        {"safety_identifier": "u1", "prompt_cache_key": "k", "prompt_cache_retention": "24h", "user": "u"},
        {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}, "metadata": {"a": "b"}},
        {"top_k": -1, "min_p": 0, "repetition_penalty": 1.0, "best_of": 1, "ignore_eos": False},
        {"skip_special_tokens": True, "stop_token_ids": [], "chat_template_kwargs": {}, "guided_json": None},
        {"think": False, "thinking": {"type": "disabled"}, "reasoning": {}, "include_reasoning": False, "format": ""},
        {"chat_template_kwargs": {"enable_thinking": False}, "reasoning": {"effort": "none"}},
        {"chat_template_kwargs": {"thinking": False}, "reasoning": {"enabled": False}},
        {"refusal_in": "both", "policy": "default", "language": "de"},
    ],
)
def test_what_has_no_effect_is_taken(options: dict[str, Any]) -> None:
    taken(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"store": True}, {"store": 0}, {"logprobs": 0}, {"logprobs": "false"}, {"frequency_penalty": False},
        {"presence_penalty": 0.1}, {"frequency_penalty": -0.1}, {"stream_options": {"include_obfuscation": True}},
        {"n": True}, {"max_tokens": "5"}, {"stream": "true"}, {"stream": 1},
        {"stop": "a" * 65}, {"stop": ["a" * 65]}, {"stop": ["a"] * 5}, {"tools": [{}]},
        {"modalities": ["text", "audio"]}, {"modalities": []}, {"modalities": "text"}, {"audio": {"voice": "ash"}},
        {"prediction": {"type": "content", "content": "x"}}, {"web_search_options": {}}, {"functions": [{"name": "f"}]},
        {"function_call": {"name": "f"}}, {"tool_choice": "required"}, {"reasoning_effort": "low"},
        {"response_format": {"type": "json_object"}}, {"response_format": {}}, {"verbosity": "high"},
        {"logit_bias": {"50": 1}}, {"top_logprobs": 1}, {"moderation": {"model": "m"}}, {"service_tier": "flex"},
        {"top_k": 1}, {"top_k": False}, {"min_p": 0.1}, {"best_of": 2}, {"best_of": True}, {"echo": True},
        {"guided_json": {"type": "object"}}, {"chat_template": ""}, {"chat_template_kwargs": {"system": "x"}},
        {"thinking": {"type": "enabled"}}, {"continue_final_message": True}, {"documents": [{"text": "x"}]},
        {"safety_identifier": 5}, {"user": "u" * 257}, {"prompt_cache_options": {"text": "x"}}, {"refusal_in": "x"},
        {"extra_body": {"refusal_in": "content"}}, {"chat_template_kwargs": {"enable_thinking": True}},
        {"chat_template_kwargs": {"enable_thinking": False, "system": "x"}}, {"reasoning": {"effort": "low"}},
    ],
)  # fmt: skip
def test_what_would_have_one_or_is_of_another_type_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        taken(**options)


@pytest.mark.parametrize("model", [CompletionRequest, ModerationRequest, JsonRequest, FormRequest, GuardrailRequest])
def test_no_union_is_left_whose_errors_are_those_of_its_first_branch(model: type[BaseModel]) -> None:
    for schema in _schemas(model.__pydantic_core_schema__):
        assert schema["type"] != "union", schema
        if schema["type"] == "tagged-union":
            assert all(tag.startswith(BRANCH) for tag in schema["choices"]), "a tag could be taken for a field"


def _schemas(value: Any) -> Iterator[dict[str, Any]]:
    """All validation schemas within one."""
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value
        for name, inner in value.items():
            if name not in ("metadata", "serialization"):
                yield from _schemas(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _schemas(inner)
