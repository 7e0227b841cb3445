"""Finds refused questions in a proxy's request that can be removed from what another model will read.

LiteLLM's protocol lets a guardrail replace texts one for one, but not remove messages or images. So only a text-only
conversation qualifies, whose texts the proxy lists exactly as in its messages.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from safety_core.engine.messages import ClientMessage

REMOVED = "(This message was removed.)"
"""Replacement for a removed text."""

_ROLES: Mapping[object, Literal["instructions", "user", "assistant"]] = {
    "system": "instructions",
    "developer": "instructions",
    "user": "user",
    "assistant": "assistant",
}
_SILENT = frozenset({"role", "content", "name"})
"""Fields of a message without other content. An assistant's refusal may be among them: the model reads it, and it is
judged there."""


def parse_plain_history(
    texts: Sequence[str], messages: Sequence[Mapping[str, Any]]
) -> tuple[ClientMessage, ...] | None:
    """Parse the conversation, if it consists only of the given texts; otherwise None.

    Args:
        texts: the texts that a guardrail can replace.
        messages: the messages that they come from, in OpenAI's form.
    """
    found = [_parse_message(message) for message in messages]
    history = tuple(one for one in found if one is not None)
    if len(history) < len(found) or [text for one in history for text in one.texts] != list(texts):
        return None
    if not any(one.role == "assistant" for one in history) or history[-1].role != "user":
        return None
    return history


def replace_dropped_texts(history: Sequence[ClientMessage], dropped: Sequence[int]) -> list[str]:
    """Return the texts of a conversation, with a note in place of dropped ones."""
    left_out = frozenset(dropped)
    return [REMOVED if index in left_out else text for index, one in enumerate(history) for text in one.texts]


def find_dropped_texts(history: Sequence[ClientMessage], dropped: Sequence[int]) -> frozenset[str]:
    """Find the texts of dropped messages that no other message contains."""
    left_out = frozenset(dropped)
    kept = {text for index, one in enumerate(history) if index not in left_out for text in one.texts}
    return frozenset(text for index in left_out for text in history[index].texts if text not in kept)


def _parse_message(message: Mapping[str, Any]) -> ClientMessage | None:
    role, content = _ROLES.get(message.get("role")), message.get("content")
    silent = _SILENT | {"refusal"} if role == "assistant" else _SILENT
    extra = {name for name, value in message.items() if name not in silent and value not in (None, "", [], {})}
    if role is None or extra:
        return None
    parts = [] if content is None else [content] if isinstance(content, str) else content
    if not isinstance(parts, list):
        return None
    texts = [_parse_text(part) for part in parts]
    if None in texts:
        return None
    return ClientMessage(role=role, texts=tuple(text for text in texts if text is not None))


def _parse_text(part: object) -> str | None:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and set(part) == {"type", "text"} and part["type"] == "text":
        return part["text"] if isinstance(part["text"], str) else None
    return None
