"""Requests to the guard with defaults for whatever a test does not name."""

from typing import Any

from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.inputs.prompts import Turn

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
