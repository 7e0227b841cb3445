"""Requests to the guard with defaults for whatever a test does not name."""

from typing import Any

from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import DecodedImage
from tests.helpers.images.pictures import create_picture, create_transparent_picture

CHAT_REQUEST = ChatRequest(turns=(Turn(role="user", text="hello"),))

GUARD_REQUEST = GuardRequest(turns=CHAT_REQUEST.turns)


def create_chat_request(*images: DecodedImage, text: str | None = "What is it?", **options: Any) -> ChatRequest:
    turns = () if text is None else (Turn(role="user", text=text),)
    return ChatRequest(images=images, turns=turns, **{"max_tokens": 6, **options})


def create_guard_request(
    *images: DecodedImage, text: str | None = "What is it?", heatmap: bool = False
) -> GuardRequest:
    turns = () if text is None else (Turn(role="user", text=text),)
    return GuardRequest(images=images, turns=turns, heatmap=heatmap)


def create_mixed_requests() -> list[GuardRequest]:
    """Requests of every kind: pictures of one and two views, several, none, words hidden and plain, chats."""
    return [
        create_guard_request(create_picture("red")),
        create_guard_request(create_picture("blue"), create_picture("red"), text="Read the text."),
        create_guard_request(text="How do I hurt someone with it?"),
        create_guard_request(create_transparent_picture(), create_picture("green"), text="a\u200bb"),
        create_guard_request(create_picture("white"), text=None),
        create_chat_request(create_picture("red"), text="another question about the same picture"),
        create_guard_request(create_transparent_picture("blue"), create_transparent_picture("red"), heatmap=True),
    ]
