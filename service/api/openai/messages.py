"""From an OpenAI-style list of messages to the turns that the guard judges and the model reads.

Every picture keeps its turn, and every word is kept: instructions of a ``system`` message are the client's words like
any other, so they are judged with the user's and can switch nothing off. Neighbours of one role become one turn, which
keeps their texts apart for the guard: a question must not hide behind instructions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from safety_core.engine.judging.history import join_messages
from safety_core.engine.judging.picture_questions import DEFAULT_QUESTION
from safety_core.engine.messages import ClientMessage
from safety_core.errors import PromptError
from safety_core.inputs.prompts import Turn
from service.api.openai.schemas.messages import Message
from service.api.openai.schemas.parts import ImagePart, RefusalPart, TextPart

_ROLES: Mapping[str, Literal["instructions", "user", "assistant"]] = {
    "system": "instructions",
    "developer": "instructions",
    "user": "user",
    "assistant": "assistant",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation and its pictures."""

    turns: tuple[Turn, ...]
    """Turns of user and assistant, alternating."""

    sources: tuple[str, ...]
    """Where its pictures are, in the order in which the turns show them."""

    places: tuple[str, ...]
    """Field of the request that contains each of them."""

    messages: tuple[ClientMessage, ...]
    """The messages that the turns were joined from, one for each message of the client."""


def convert_messages(messages: Sequence[Message]) -> Conversation:
    """Convert messages to a conversation.

    Empty messages are skipped, because clients send a refused reply back without its refusal, and empty instructions.
    What the assistant said before the user's first message is read as instructions. Only the user's last message must
    contain text or pictures; if it contains only pictures, the default question is
    used as its text.

    Raises:
        PromptError: the last message is empty or not the user's, or a message has content that its role does not allow.
    """
    last = max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)
    found = [_message(message, index) for index, message in enumerate(messages)]
    said = _with_greeting([one for one, _ in found])
    if last >= 0:
        if not said[last].texts and not said[last].images:
            raise PromptError("The last message is empty.", code="prompt_empty", param=f"messages.{last}.content")
        said[last] = _with_question(said, last)
    turns = join_messages(said)
    if not turns or turns[-1].role != "user":
        raise PromptError(
            "The last message must be the user's.",
            code="turn_order",
            param="messages",
        )
    pictures = [
        (part.image_url.url, f"messages.{index}.content.{number}.image_url.url")
        for index, (_, shown) in enumerate(found)
        for number, part in shown
    ]
    return Conversation(
        turns=turns,
        sources=tuple(source for source, _ in pictures),
        places=tuple(place for _, place in pictures),
        messages=tuple(said),
    )


def _message(message: Message, index: int) -> tuple[ClientMessage, list[tuple[int, ImagePart]]]:
    """One message, empty if it has no content, and the pictures among its parts.

    An empty assistant message still ends a user turn.
    """
    parts = [] if isinstance(message.content, str) else message.content or []
    words = [message.content] if isinstance(message.content, str) else []
    shown: list[tuple[int, ImagePart]] = []
    for number, part in enumerate(parts):
        if isinstance(part, TextPart):
            words.append(part.text)
        elif isinstance(part, ImagePart):
            _check_role(message, "user", f"messages.{index}.content.{number}")
            shown.append((number, part))
        elif isinstance(part, RefusalPart):
            _check_role(message, "assistant", f"messages.{index}.content.{number}")
            words.append(part.refusal)
    if message.refusal:
        _check_role(message, "assistant", f"messages.{index}.refusal")
        words += [message.refusal] if message.refusal not in words else []  # a refusal may come in both fields
    spoken = [word for word in words if word]
    if not any(word.strip() for word in spoken):
        spoken = []
    return ClientMessage(role=_ROLES[message.role], texts=tuple(spoken), images=len(shown)), shown


def _with_greeting(messages: Sequence[ClientMessage]) -> list[ClientMessage]:
    """The messages, with what the assistant said first as instructions.

    Applications often begin with a greeting of the assistant. A prompt begins with the user's turn, and what stands in
    that is judged in full.
    """
    first = next((i for i, one in enumerate(messages) if one.role == "user" and (one.texts or one.images)), 0)
    return [
        replace(one, role="instructions") if index < first and one.role == "assistant" else one
        for index, one in enumerate(messages)
    ]


def _with_question(messages: Sequence[ClientMessage], last: int) -> ClientMessage:
    """The user's last message, with the default question if it has pictures but no text."""
    start = max((index for index in range(last) if messages[index].role == "assistant"), default=-1) + 1
    asked = any(one.texts for one in messages[start : last + 1] if one.role == "user")
    return messages[last] if asked else replace(messages[last], texts=(DEFAULT_QUESTION,))


def _check_role(message: Message, role: Literal["user", "assistant"], param: str) -> None:
    """Reject pictures in other than user messages, and refusals in other than assistant messages."""
    if message.role != role:
        complaint = (
            "Only user messages can contain images."
            if role == "user"
            else "Only assistant messages can contain a refusal."
        )
        raise PromptError(complaint, code="invalid_field", param=param)
