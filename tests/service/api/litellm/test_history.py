"""Conversations whose refused questions can be removed: those of texts alone, exactly as the proxy lists them."""

from typing import Any

import pytest

from service.api.litellm.history import REMOVED, find_dropped_texts, parse_plain_history, replace_dropped_texts


def say(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **fields}


TALK = [say("system", "Be kind."), say("user", "a"), say("assistant", "b"), say("user", "c")]


def test_a_conversation_of_texts_is_read_with_its_roles() -> None:
    found = parse_plain_history(["Be kind.", "a", "b", "c"], TALK)
    assert found is not None
    assert [(one.role, one.texts) for one in found] == [
        ("instructions", ("Be kind.",)),
        ("user", ("a",)),
        ("assistant", ("b",)),
        ("user", ("c",)),
    ]


def test_a_message_may_have_several_texts_and_an_assistant_may_have_refused() -> None:
    messages = [
        say("user", [{"type": "text", "text": "a"}, "b"], name="shopper"),
        say("assistant", None, refusal="No.", tool_calls=[]),
        say("user", "c"),
    ]
    found = parse_plain_history(["a", "b", "c"], messages)
    assert found is not None
    assert [one.texts for one in found] == [("a", "b"), (), ("c",)]


@pytest.mark.parametrize(
    ("texts", "messages"),
    [
        (["a", "b"], TALK[1:3]),  # it ends with an answer
        (["a", "c"], [TALK[1], TALK[3]]),  # nothing was answered
        (["a", "b", "d"], TALK[1:]),
        (["b", "a", "c"], TALK[1:]),
        (["a", "b", "c", "d"], TALK[1:]),
        (["a", "b", "c"], [*TALK[1:3], say("tool", "c")]),
        (["a", "b", "c"], [*TALK[1:3], say("user", "c", tool_calls=[{}])]),
        (["a", "b", "c"], [say("user", "a", refusal="x"), *TALK[2:]]),
        (["a", "b", "c"], [*TALK[1:3], say("user", [{"type": "image_url", "image_url": {"url": "x"}}])]),
        (["a", "b", "c"], [*TALK[1:3], say("user", [{"type": "text", "text": "c", "more": 1}])]),
        (["a", "b", "c"], [*TALK[1:3], say("user", {"type": "text", "text": "c"})]),
        (["a", "b", "c"], [*TALK[1:3], say("user", [{"type": "text", "text": 5}])]),
        ([], []),
    ],
)
def test_anything_else_is_no_conversation_of_texts(texts: list[str], messages: list[dict[str, Any]]) -> None:
    assert parse_plain_history(texts, messages) is None


def test_dropped_texts_are_replaced_one_for_one() -> None:
    history = parse_plain_history(["Be kind.", "a", "b", "c"], TALK)
    assert history is not None
    assert replace_dropped_texts(history, [1, 2]) == ["Be kind.", REMOVED, REMOVED, "c"]
    assert replace_dropped_texts(history, []) == ["Be kind.", "a", "b", "c"]


def test_a_text_that_also_stands_in_a_message_that_stays_is_not_dropped() -> None:
    messages = [say("user", "a"), say("assistant", "b"), say("user", "a")]
    history = parse_plain_history(["a", "b", "a"], messages)
    assert history is not None
    assert find_dropped_texts(history, [0, 1]) == {"b"}
