"""Finds refused questions that a proxy can remove from its request before its own model reads it.

LiteLLM's protocol lets a guardrail replace texts one for one, but not remove messages or images. Only a text-only
conversation qualifies, and only if the proxy lists exactly the texts of its messages.
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
"""Fields that a plain message may have. An assistant message may also have a refusal, which is judged with the other
content of the request.
"""


def parse_plain_history(
    texts: Sequence[str], messages: Sequence[Mapping[str, Any]]
) -> tuple[ClientMessage, ...] | None:
    """Parse the conversation, if it consists only of the given texts; otherwise None.

    Args:
        texts: the texts that a guardrail can replace.
        messages: the messages that contain the texts, in OpenAI's format.
    """
    parsed = [_parse_message(message) for message in messages]
    history = tuple(entry for entry in parsed if entry is not None)
    if len(history) < len(parsed) or [text for entry in history for text in entry.texts] != list(texts):
        return None
    if not any(entry.role == "assistant" for entry in history) or history[-1].role != "user":
        return None
    return history


def replace_dropped_texts(history: Sequence[ClientMessage], dropped: Sequence[int]) -> list[str]:
    """Return the texts of a conversation, with a note in place of each dropped text."""
    left_out = frozenset(dropped)
    return [REMOVED if index in left_out else text for index, message in enumerate(history) for text in message.texts]


def find_dropped_texts(history: Sequence[ClientMessage], dropped: Sequence[int]) -> frozenset[str]:
    """Find the texts of dropped messages that no other message contains."""
    left_out = frozenset(dropped)
    kept_texts = {text for index, message in enumerate(history) if index not in left_out for text in message.texts}
    return frozenset(text for index in left_out for text in history[index].texts if text not in kept_texts)


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
