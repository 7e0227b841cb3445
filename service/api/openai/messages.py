"""Converts messages in OpenAI's format to the turns that the guard judges and the model reads.

Every image keeps its turn, and every text is kept: instructions of a ``system`` message come from the client like any
other text, so they are judged with the user's and cannot disable the guard. Consecutive messages of one role become one
turn. The guard still judges their texts separately, so that a question cannot hide behind instructions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from safety_core.engine.judging.conversation_rounds import join_messages
from safety_core.engine.judging.image_questions import DEFAULT_QUESTION
from safety_core.engine.messages import ClientMessage
from safety_core.errors import PromptError
from safety_core.inputs.conversation import Turn
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
    """A conversation and its images."""

    turns: tuple[Turn, ...]
    """Turns of user and assistant, alternating."""

    sources: tuple[str, ...]
    """The images as URLs, in the order of the turns."""

    places: tuple[str, ...]
    """Field of the request that contains each image."""

    messages: tuple[ClientMessage, ...]
    """The messages before they were joined to turns, one for each message of the client."""

    @property
    def text_count(self) -> int:
        """Number of texts that the guard judges separately."""
        return sum(len(turn.parts) or 1 for turn in self.turns)


def check_text_count(texts: int, limit: int) -> None:
    """Reject a conversation with more messages, or more texts in its messages, than the guard judges separately.

    Raises:
        PromptError: ``too_many_messages``.
    """
    if texts > limit:
        raise PromptError(
            f"A conversation may have at most {limit} messages and at most {limit} texts.",
            code="too_many_messages",
            param="messages",
        )


def convert_messages(messages: Sequence[Message]) -> Conversation:
    """Convert messages to a conversation.

    Empty messages are skipped, because clients send empty instructions, and refused replies without their refusal.
    Messages of the assistant before the user's first message become instructions. Only the user's last message must
    contain text or images; if it contains only images, the default question is added as its text.

    Raises:
        PromptError: the last message is empty or not the user's, or a message has content that its role does not allow.
    """
    last = max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)
    pairs = [_convert_message(message, index) for index, message in enumerate(messages)]
    converted = _convert_greeting([message for message, _ in pairs])
    if last >= 0:
        if not converted[last].texts and not converted[last].images:
            raise PromptError("The last message is empty.", code="prompt_empty", param=f"messages.{last}.content")
        converted[last] = _add_question(converted, last)
    turns = join_messages(converted)
    if not turns or turns[-1].role != "user":
        raise PromptError("The last message must be the user's.", code="turn_order", param="messages")
    images = [
        (part.image_url.url, f"messages.{index}.content.{number}.image_url.url")
        for index, (_, parts) in enumerate(pairs)
        for number, part in parts
    ]
    return Conversation(
        turns=turns,
        sources=tuple(source for source, _ in images),
        places=tuple(place for _, place in images),
        messages=tuple(converted),
    )


def _convert_message(message: Message, index: int) -> tuple[ClientMessage, list[tuple[int, ImagePart]]]:
    """Convert one message, and list the images among its parts with the numbers of these parts.

    A message without content becomes an empty one, which still ends a turn of the other role.
    """
    parts = [] if isinstance(message.content, str) else message.content or []
    texts = [message.content] if isinstance(message.content, str) else []
    images: list[tuple[int, ImagePart]] = []
    for number, part in enumerate(parts):
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif isinstance(part, ImagePart):
            _check_role(message, "user", f"messages.{index}.content.{number}")
            images.append((number, part))
        elif isinstance(part, RefusalPart):
            _check_role(message, "assistant", f"messages.{index}.content.{number}")
            texts.append(part.refusal)
    if message.refusal:
        _check_role(message, "assistant", f"messages.{index}.refusal")
        texts += [message.refusal] if message.refusal not in texts else []  # clients may send a refusal in both fields
    is_blank = not any(text.strip() for text in texts)
    kept = () if is_blank else tuple(text for text in texts if text)
    return ClientMessage(role=_ROLES[message.role], texts=kept, images=len(images)), images


def _convert_greeting(messages: Sequence[ClientMessage]) -> list[ClientMessage]:
    """Convert messages of the assistant before the user's first one to instructions.

    Applications often begin with a greeting of the assistant. A prompt begins with the user's turn, which contains the
    instructions and is judged in full.
    """
    first_user = next(
        (i for i, message in enumerate(messages) if message.role == "user" and (message.texts or message.images)), 0
    )
    return [
        replace(message, role="instructions") if index < first_user and message.role == "assistant" else message
        for index, message in enumerate(messages)
    ]


def _add_question(messages: Sequence[ClientMessage], last: int) -> ClientMessage:
    """Return the user's last message, with the default question if it has images but no text."""
    start = max((index for index in range(last) if messages[index].role == "assistant"), default=-1) + 1
    has_text = any(message.texts for message in messages[start : last + 1] if message.role == "user")
    return messages[last] if has_text else replace(messages[last], texts=(DEFAULT_QUESTION,))


def _check_role(message: Message, role: Literal["user", "assistant"], param: str) -> None:
    """Reject images outside user messages, and refusals outside assistant messages."""
    if message.role != role:
        problem = (
            "Only user messages can contain images."
            if role == "user"
            else "Only assistant messages can contain a refusal."
        )
        raise PromptError(problem, code="invalid_field", param=param)
