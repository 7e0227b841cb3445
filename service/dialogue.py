"""From an OpenAI-style list of messages to the turns that the guard judges and the model reads.

Every picture keeps its turn, and every word is kept: instructions of a ``system`` message are the client's words like
any other, so they are judged with the user's and can switch nothing off. Neighbours of one role become one turn, which
keeps their texts apart for the guard: a question must not hide behind instructions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from safety_core.errors import PromptError
from safety_core.prompts import Turn
from service.openai_schemas import ImagePart, Message, TextPart

_BREAK = "\n"


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation and its pictures."""

    turns: tuple[Turn, ...]
    """Turns of user and assistant, alternating."""

    sources: tuple[str, ...]
    """Where its pictures are, in the order in which the turns show them."""


def dialogue_of(messages: Sequence[Message]) -> Dialogue:
    """The conversation that some messages make.

    Raises:
        PromptError: a message is empty or shows what its role cannot, or the last one is not the user's.
    """
    turns: list[Turn] = []
    sources: list[str] = []
    for index, message in enumerate(messages):
        turn, shown = _turn(message, index)
        sources += shown
        if turns and turns[-1].role == turn.role:
            turn = _joined(turns.pop(), turn)
        turns.append(turn)
    if turns[0].role != "user" or turns[-1].role != "user":
        raise PromptError(
            "The first message after the instructions, and the last one, must be the user's.",
            code="turn_order",
            param="messages",
        )
    return Dialogue(tuple(turns), tuple(sources))


def _turn(message: Message, index: int) -> tuple[Turn, list[str]]:
    parts = [message.content] if isinstance(message.content, str) else message.content or []
    words = [part.text if isinstance(part, TextPart) else part for part in parts if not isinstance(part, ImagePart)]
    shown = [part.image_url.url for part in parts if isinstance(part, ImagePart)]
    spoken = [word for word in (*words, message.refusal or "") if word]
    if not any(word.strip() for word in spoken) and not shown:
        raise PromptError("A message is empty.", code="prompt_empty", param=f"messages.{index}.content")
    if shown and message.role != "user":
        raise PromptError(
            "Only messages of the user can show pictures.", code="invalid_field", param=f"messages.{index}.content"
        )
    if message.refusal is not None and message.role != "assistant":
        raise PromptError("Only the assistant refuses.", code="invalid_field", param=f"messages.{index}.refusal")
    return _spoken("assistant" if message.role == "assistant" else "user", spoken, len(shown)), shown


def _joined(before: Turn, turn: Turn) -> Turn:
    """Two messages of one role as one turn."""
    said = [text for one in (before, turn) for text in one.parts or (one.text,) if text]
    return _spoken(turn.role, said, before.images + turn.images)


def _spoken(role: Literal["user", "assistant"], texts: Sequence[str], images: int) -> Turn:
    return Turn(role=role, text=_BREAK.join(texts), images=images, parts=tuple(texts) if len(texts) > 1 else ())
