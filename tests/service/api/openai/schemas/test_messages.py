"""A message may have whatever says nothing, and no text that nobody would judge."""

from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessage
from openai.types.chat.parsed_chat_completion import ParsedChatCompletionMessage
from pydantic import ValidationError

from service.api.openai.schemas.messages import Message


def replay(message: dict[str, Any]) -> Message:
    """A message of the assistant, as a client sends it back."""
    return Message.model_validate({"role": "assistant", **message})


def test_a_message_of_the_clients_own_class_goes_back_as_it_is() -> None:
    """With every field that it has, those of options that we do not have included."""
    for kind in (ChatCompletionMessage, ParsedChatCompletionMessage):
        said = kind(role="assistant", content="A house.").model_dump()
        assert "tool_calls" in said
        replay(said)
        for name, value in (("tool_calls", [{}]), ("function_call", {}), ("audio", {}), ("annotations", [{}])):
            with pytest.raises(ValidationError):
                replay(said | {name: value})


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": None}, {"reasoning_content": ""}, {"reasoning": None}, {"thinking_blocks": []},
        {"provider_specific_fields": None}, {"provider_specific_fields": {"refusal": None, "citations": []}},
        {"id": "x"}, {"name": "x"}, {"annotations": []}, {"tool_calls": []}, {"images": []}, {"prefix": False},
        {"cache_control": {"type": "ephemeral"}}, {"content": [{"type": "text", "text": "a", "annotations": []}]},
        {"content": [{"type": "refusal", "refusal": "No."}]}, {"content": [], "refusal": "No."},
        {"content": [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}]},
        {"content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
    ],
)  # fmt: skip
def test_a_message_may_have_what_says_nothing(fields: dict[str, Any]) -> None:
    replay({"content": "A house.", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "SECRET"}, {"reasoning": "SECRET"}, {"reasoning": {"text": "SECRET"}},
        {"reasoning_details": [{"text": "SECRET"}]}, {"thinking": "SECRET"}, {"thinking_blocks": [{"thinking": "x"}]},
        {"provider_specific_fields": {"refusal": "SECRET"}}, {"provider_specific_fields": {"a": {"b": "SECRET"}}},
        {"provider_specific_fields": {"a": [{}]}}, {"annotations": [{"title": "x"}]}, {"metadata": {"a": "SECRET"}},
        {"additional_kwargs": {"a": "SECRET"}}, {"tool_call_id": "SECRET"}, {"parsed": {"a": "SECRET"}},
        {"images": ["SECRET"]}, {"prefix": True}, {"cache_control": {"text": "SECRET"}}, {"text": "SECRET"},
        {"content": [{"type": "text", "text": "a", "annotations": [{"title": "SECRET"}]}]},
        {"content": [{"type": "thinking", "thinking": "SECRET"}]}, {"content": ["SECRET"]},
    ],
)  # fmt: skip
def test_no_text_comes_in_where_nobody_would_judge_it(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        replay({"content": "A house.", **fields})


@pytest.mark.parametrize("role", ["tool", "function"])
def test_a_role_of_tools_is_refused_by_its_meaning_and_any_other_by_its_name(role: str) -> None:
    with pytest.raises(ValidationError, match="Tools are not supported"):
        Message.model_validate({"role": role, "content": "a"})
    with pytest.raises(ValidationError, match="Input should be 'user'"):
        Message.model_validate({"role": "admin", "content": "a"})
