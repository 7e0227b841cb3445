"""Options that we do not have are taken only with the value that has no effect, and only in its own type."""

from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessage
from pydantic import ValidationError

from service.openai_schemas import CompletionRequest

ASKED: dict[str, Any] = {"model": "fake", "messages": [{"role": "user", "content": "What is it?"}]}


@pytest.mark.parametrize(
    "options",
    [
        {"store": False, "logprobs": False, "frequency_penalty": 0, "presence_penalty": 0.0},
        {"store": None, "logprobs": None, "stream_options": {"include_obfuscation": False}},
        {"max_tokens": 5.0, "n": 1.0, "temperature": 1},
        {"stop": ["a" * 64] * 4, "tools": []},
    ],
)
def test_what_has_no_effect_is_taken(options: dict[str, Any]) -> None:
    CompletionRequest.model_validate(ASKED | options)


@pytest.mark.parametrize(
    "options",
    [
        {"store": True}, {"store": 0}, {"logprobs": 0}, {"logprobs": "false"}, {"frequency_penalty": False},
        {"presence_penalty": 0.1}, {"frequency_penalty": -0.1}, {"stream_options": {"include_obfuscation": True}},
        {"n": True}, {"max_tokens": "5"}, {"stream": "true"}, {"stream": 1},
        {"stop": "a" * 65}, {"stop": ["a" * 65]}, {"stop": ["a"] * 5}, {"tools": [{}]},
    ],
)  # fmt: skip
def test_what_would_have_one_or_is_of_another_type_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CompletionRequest.model_validate(ASKED | options)


def test_a_message_of_the_clients_own_class_goes_back_as_it_is() -> None:
    """With every field that it has, those of options that we do not have included."""
    said = ChatCompletionMessage(role="assistant", content="A house.").model_dump()
    assert "tool_calls" in said
    question = {"role": "user", "content": "And what else?"}
    CompletionRequest.model_validate(ASKED | {"messages": [*ASKED["messages"], said, question]})
    for name, value in (("tool_calls", [{}]), ("function_call", {}), ("audio", {}), ("annotations", [{}])):
        with pytest.raises(ValidationError):
            CompletionRequest.model_validate(ASKED | {"messages": [said | {name: value}, question]})
