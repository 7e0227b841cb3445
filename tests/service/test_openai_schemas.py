"""Options that we do not have are taken only with the value that has no effect, and only in its own type."""

from typing import Any

import pytest
from pydantic import ValidationError

from service.openai_schemas import CompletionRequest

ASKED: dict[str, Any] = {"model": "fake", "messages": [{"role": "user", "content": "What is it?"}]}


@pytest.mark.parametrize(
    "options",
    [
        {"store": False, "logprobs": False, "frequency_penalty": 0, "presence_penalty": 0.0},
        {"store": None, "logprobs": None, "stream_options": {"include_obfuscation": False}},
        {"max_tokens": 5.0, "n": 1.0, "temperature": 1},
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
    ],
)  # fmt: skip
def test_what_would_have_one_or_is_of_another_type_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CompletionRequest.model_validate(ASKED | options)
