"""From an OpenAI-style list of messages to the turns that the guard judges and the model reads.

Every picture keeps its turn, and every word is kept: instructions of a ``system`` message are the client's words like
any other, so they are judged with the user's and can switch nothing off. Neighbours of one role become one turn, which
keeps their texts apart for the guard: a question must not hide behind instructions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from safety_core.engine.history import join_messages
from safety_core.engine.messages import ClientMessage
from safety_core.engine.picture_questions import DEFAULT_QUESTION
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

    A message that says nothing is no turn: clients replay a refusal as a message without content, which still ends the
    user's turn before it. Only the user's last message must say or show anything; where it only shows pictures, the
    default question stands in for the words.

    Raises:
        PromptError: that one is empty, a message shows what its role cannot, or the last one is not the user's.
    """
    last = max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)
    found: list[ClientMessage] = []
    sources: list[str] = []
    for index, message in enumerate(messages):
        one, shown = _message(message, index)
        if index == last and not one.texts and not shown:
            raise PromptError("The last message is empty.", code="prompt_empty", param=f"messages.{index}.content")
        found.append(one)
        sources += shown
    if last >= 0:
        found[last] = _with_question(found, last)
    turns = join_messages(found)
    if not turns or turns[0].role != "user" or turns[-1].role != "user":
        raise PromptError(
            "The first message after the instructions, and the last one, must be the user's.",
            code="turn_order",
            param="messages",
        )
    return Dialogue(turns, tuple(sources), tuple(found))


def _message(message: Message, index: int) -> tuple[ClientMessage, list[str]]:
    """What a message says, which may be nothing, and the sources of its pictures."""
    parts = [message.content] if isinstance(message.content, str) else message.content or []
    words = [part.text if isinstance(part, TextPart) else part for part in parts if not isinstance(part, ImagePart)]
    shown = [part.image_url.url for part in parts if isinstance(part, ImagePart)]
    spoken = [word for word in (*words, message.refusal or "") if word]
    if shown and message.role != "user":
        raise PromptError(
            "Only messages of the user can show pictures.", code="invalid_field", param=f"messages.{index}.content"
        )
    if message.refusal is not None and message.role != "assistant":
        raise PromptError("Only the assistant refuses.", code="invalid_field", param=f"messages.{index}.refusal")
    texts = tuple(spoken) if any(word.strip() for word in spoken) else ()
    return ClientMessage(role=_ROLES[message.role], texts=texts, images=len(shown)), shown


def _with_question(messages: Sequence[ClientMessage], last: int) -> ClientMessage:
    """The user's last message, with the default question where it shows pictures and nothing was asked about them."""
    start = max((index for index in range(last) if messages[index].role == "assistant"), default=-1) + 1
    asked = any(one.texts for one in messages[start : last + 1] if one.role == "user")
    return messages[last] if asked else replace(messages[last], texts=(DEFAULT_QUESTION,))
