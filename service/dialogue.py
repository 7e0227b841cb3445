"""From an OpenAI-style list of messages to the turns that the guard judges and the model reads.

Every picture keeps its turn, and every word is kept: instructions of a ``system`` message are the client's words like
any other, so they are judged with the user's and can switch nothing off. Neighbours of one role become one turn, which
keeps their texts apart for the guard: a question must not hide behind instructions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from safety_core.engine.history import join_messages
from safety_core.engine.messages import ClientMessage
from safety_core.errors import PromptError
from safety_core.prompts import Turn
from service.openai_schemas import ImagePart, Message, TextPart

_ROLES: Mapping[str, Literal["instructions", "user", "assistant"]] = {
    "system": "instructions",
    "developer": "instructions",
    "user": "user",
    "assistant": "assistant",
}


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation and its pictures."""

    turns: tuple[Turn, ...]
    """Turns of user and assistant, alternating."""

    sources: tuple[str, ...]
    """Where its pictures are, in the order in which the turns show them."""

    messages: tuple[ClientMessage, ...]
    """The messages that the turns were joined from, one for each message of the client."""


def dialogue_of(messages: Sequence[Message]) -> Dialogue:
    """The conversation that some messages make.

    Raises:
        PromptError: a message is empty or shows what its role cannot, or the last one is not the user's.
    """
    asked = max((index for index, message in enumerate(messages) if message.role == "user"), default=None)
    found = [_message(message, index, needed=index == asked) for index, message in enumerate(messages)]
    turns = join_messages(message for message, _ in found)
    if not turns or turns[0].role != "user" or turns[-1].role != "user":
        raise PromptError(
            "The first message after the instructions, and the last one, must be the user's.",
            code="turn_order",
            param="messages",
        )
    sources = tuple(url for _, shown in found for url in shown)
    return Dialogue(turns, sources, tuple(message for message, _ in found))


def _message(message: Message, index: int, *, needed: bool) -> tuple[ClientMessage, list[str]]:
    """One message and the sources of its pictures; only a message that is needed must say or show anything.

    Clients replay a refusal as a message without content, which still ends a turn of the user.
    """
    parts = [message.content] if isinstance(message.content, str) else message.content or []
    words = [part.text if isinstance(part, TextPart) else part for part in parts if not isinstance(part, ImagePart)]
    shown = [part.image_url.url for part in parts if isinstance(part, ImagePart)]
    spoken = [word for word in (*words, message.refusal or "") if word]
    if not any(word.strip() for word in spoken) and not shown:
        if needed:
            raise PromptError("A message is empty.", code="prompt_empty", param=f"messages.{index}.content")
        spoken = []
    if shown and message.role != "user":
        raise PromptError(
            "Only messages of the user can show pictures.", code="invalid_field", param=f"messages.{index}.content"
        )
    if message.refusal is not None and message.role != "assistant":
        raise PromptError("Only the assistant refuses.", code="invalid_field", param=f"messages.{index}.refusal")
    return ClientMessage(role=_ROLES[message.role], texts=tuple(spoken), images=len(shown)), shown
