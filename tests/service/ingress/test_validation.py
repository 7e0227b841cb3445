"""An error about a field names the field and quotes nothing that the client sent."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from safety_core.errors import InputError
from service.api.openai.schemas.completions import CompletionRequest
from service.api.schemas.requests import JsonRequest
from service.ingress.validation import create_field_error


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ('{"prompt": "x", "SECRET": 1}', "unknown_field", None),
        ('{"prompt": ["SECRET"]}', "invalid_field", "prompt"),
        ('{"images": ["a", 7]}', "invalid_field", "images.1"),
        ('{"images": "SECRET"}', "invalid_field", "images"),
        ('{"temperature": "SECRET"}', "invalid_field", "temperature"),
        ('{"temperature": NaN}', "invalid_field", "temperature"),
        ('{"seed": 99999999999999999999999}', "invalid_field", "seed"),
        ('{"stream": "SECRET"}', "invalid_field", "stream"),
        ('{"prompt": "SECRET', "body_malformed", None),
        ("[1]", "invalid_field", None),
    ],
)
def test_validation_never_quotes_the_client(body: str, code: str, param: str | None) -> None:
    with pytest.raises(ValidationError) as caught:
        JsonRequest.model_validate_json(body)
    error = create_field_error(caught.value, JsonRequest)
    assert (error.code, error.param) == (code, param)
    assert "SECRET" not in error.message


def complaint(model: type[BaseModel], document: dict[str, Any]) -> InputError:
    """What a client is told of a request that is none."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(json.dumps(document))
    return create_field_error(caught.value, model, lambda: document)


TEXT: dict[str, Any] = {"type": "text", "text": "a"}


def picture(**fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "data:", **fields}}


def completion(*contents: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content} for content in contents]}


@pytest.mark.parametrize(
    ("document", "param", "message"),
    [
        (completion(5), "messages.0.content", "string or an array"),
        (completion(TEXT), "messages.0.content", "string or an array"),
        (completion("a", ["b"]), "messages.1.content.0", "object"),
        (completion([TEXT, {}]), "messages.0.content.1.type", "required"),
        (completion([TEXT, {"type": "video_url"}]), "messages.0.content.1.type", "Parts of type video_url"),
        (completion([TEXT, {"type": ["SECRET"]}]), "messages.0.content.1.type", "is unknown"),
        (completion([{"type": "text"}]), "messages.0.content.0.text", "required"),
        (completion([{"type": "text", "text": ["SECRET"]}]), "messages.0.content.0.text", "string"),
        (completion([{"type": "refusal", "refusal": 1}]), "messages.0.content.0.refusal", "string"),
        (completion([picture(), picture(detail="SECRET")]), "messages.0.content.1.image_url.detail", "Image 2: "),
        (completion([picture(), TEXT], [TEXT, picture(url=1)]), "messages.1.content.1.image_url.url", "Image 2: "),
        (
            completion([picture(), {"type": "image_url", "image_url": "SECRET"}]),
            "messages.0.content.1.image_url",
            "Image 2: ",
        ),
        (completion([TEXT, {"type": "image_url"}]), "messages.0.content.1.image_url", "required"),
        ({**completion("a"), "stop": ["a", 5]}, "stop.1", "string"),
        ({**completion("a"), "stop": 5}, "stop", "string or an array"),
    ],
)
def test_an_error_of_a_union_is_one_of_the_branch_that_was_meant(
    document: dict[str, Any], param: str, message: str
) -> None:
    error = complaint(CompletionRequest, document)
    assert (error.code, error.param) == ("invalid_field", param)
    assert message in error.message
    assert "SECRET" not in error.message
    assert ("Picture" in error.message) == ("Picture" in message)


def test_pictures_of_a_list_are_numbered_too() -> None:
    assert complaint(JsonRequest, {"images": ["a", "b", 5]}).message.startswith("Image 3: ")
    assert not complaint(JsonRequest, {"images": [5]}).message.startswith("Picture")


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"SECRET": 1}, None, "The request has an unknown field."),
        ({"reasoning_effort": "SECRET"}, "reasoning_effort", "reasoning_effort is not supported; it may only be none."),
        ({"frequency_penalty": 0.5}, "frequency_penalty", "frequency_penalty is not supported; it may only be 0."),
        ({"logprobs": True}, "logprobs", "logprobs is not supported; it may only be false."),
        ({"tools": [{"SECRET": 1}]}, "tools", "tools is not supported; it may only be empty or null."),
        ({"audio": {"SECRET": 1}}, "audio", "audio is not supported; it may only be null."),
        (
            {"function_call": {"name": "SECRET"}},
            "function_call",
            "function_call is not supported; it may only be none or auto.",
        ),
        ({"max_output_tokens": "SECRET"}, "max_output_tokens", "Unknown field: max_output_tokens."),
        ({"stream_options": {"SECRET": 1}}, "stream_options", "There is an unknown field in stream_options."),
    ],
)
def test_a_field_that_is_not_supported_is_named_and_one_that_is_not_known_is_placed(
    fields: dict[str, Any], param: str | None, message: str
) -> None:
    error = complaint(CompletionRequest, {**completion("a"), **fields})
    assert (error.param, error.message) == (param, message)


@pytest.mark.parametrize(
    ("message", "param", "told"),
    [
        ({"SECRET": 1}, "messages.1", "an unknown field in messages.1"),
        ({"detail": "low"}, "messages.1.detail", "Unknown field: messages.1.detail."),
        ({"reasoning_content": "SECRET"}, "messages.1.reasoning_content", "reasoning_content is not supported"),
        ({"tool_calls": [{"SECRET": 1}]}, "messages.1.tool_calls", "tool_calls is not supported"),
        ({"content": [{**TEXT, "SECRET": 1}]}, "messages.1.content.0", "an unknown field in messages.1.content.0"),
        (
            {"content": [{**TEXT, "image_url": 1}]},
            "messages.1.content.0.image_url",
            "Unknown field: messages.1.content.0.image_url.",
        ),
        ({"role": "tool", "tool_call_id": "SECRET"}, "messages.1.role", "Tools are not supported"),
        ({"role": "function", "name": "SECRET"}, "messages.1.role", "Tools are not supported"),
    ],
)
def test_so_is_one_within_a_message(message: dict[str, Any], param: str, told: str) -> None:
    document = completion("a", "b", "c")
    document["messages"][1] |= {"role": "assistant"} | message
    error = complaint(CompletionRequest, document)
    assert error.param == param
    assert told in error.message
    assert "SECRET" not in error.message


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"metadata": {"SECRET": 1}}, "metadata"),
        ({"logit_bias": {"SECRET": "SECRET"}}, "logit_bias"),
        ({"stop": {"SECRET": 1}}, "stop"),
        ({"messages": [{"role": "user", "content": [{"type": "SECRET", "SECRET": 1}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "SECRET", "content": "a"}]}, "messages.0.role"),
        ({"stream_options": {"include_usage": "SECRET"}}, "stream_options.include_usage"),
    ],
)
def test_a_complaint_names_our_fields_and_none_of_the_clients(changes: dict[str, object], param: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], **changes}
    with pytest.raises(ValidationError) as caught:
        CompletionRequest.model_validate(body)
    error = create_field_error(caught.value, CompletionRequest)
    assert (error.code, error.param) == ("invalid_field", param)
    assert "SECRET" not in error.message
