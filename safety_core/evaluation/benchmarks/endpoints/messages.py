"""Messages of OpenAI's protocol: conversations with pictures as data URLs, and the replies that come back."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from safety_core.evaluation.benchmarks.endpoints.client import MALFORMED, Response
from safety_core.evaluation.benchmarks.suites.items import Item

_TYPES = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))
"""First bytes of the files of each format, and the name of its media type."""


class _Model(BaseModel):
    """Base of what other servers send: what is not declared is ignored."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _Message(_Model):
    content: str | None = None
    refusal: str | None = None


class _TokenChance(_Model):
    token: str
    logprob: float


class _TokenChances(_Model):
    top_logprobs: list[_TokenChance] = Field(default_factory=list)


class _Logprobs(_Model):
    content: list[_TokenChances] | None = None


class _Choice(_Model):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(_Model):
    total_tokens: int | None = Field(default=None, ge=0)


class _Completion(_Model):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """A reply of a chat endpoint."""

    text: str | None = None
    """What a user would read: the content, or else the refusal; None after a failure."""

    seconds: float = 0.0
    tokens: int | None = None
    """Tokens of prompt and reply together; None if the server does not say."""

    first_token: tuple[tuple[str, float], ...] = ()
    """Most probable first tokens with the logarithms of their probabilities, if they were asked for."""

    problem: str | None = None
    """Code of the failure."""


def build_messages(item: Item) -> list[dict[str, Any]]:
    """Build the messages of an item; pictures come before the words of the turn that they belong to.

    Raises:
        OSError: a picture cannot be read.
    """
    pictures = [_build_picture_part(picture.read()) for picture in item.pictures]
    if not item.turns:
        return [{"role": "user", "content": pictures}]
    messages: list[dict[str, Any]] = []
    for turn in item.turns:
        shown, pictures = pictures[: turn.images], pictures[turn.images :]
        content: Any = [*shown, {"type": "text", "text": turn.text}] if shown else turn.text
        messages.append({"role": turn.role, "content": content})
    return messages


def build_parts(item: Item) -> list[dict[str, Any]]:
    """Build an item as one list of parts without roles: the user's texts, then the pictures. Raises OSError."""
    texts = [{"type": "text", "text": turn.text} for turn in item.turns if turn.role == "user"]
    return [*texts, *(_build_picture_part(picture.read()) for picture in item.pictures)]


def read_chat_reply(response: Response) -> ChatReply:
    """Read the reply to a request for ``/chat/completions``."""
    if response.problem is not None:
        return ChatReply(problem=response.problem, seconds=response.seconds)
    try:
        completion = _Completion.model_validate(response.data)
    except ValidationError:
        return ChatReply(problem=MALFORMED, seconds=response.seconds)
    choice = completion.choices[0]
    return ChatReply(
        text=choice.message.content or choice.message.refusal or "",
        seconds=response.seconds,
        tokens=None if completion.usage is None else completion.usage.total_tokens,
        first_token=_list_first_tokens(choice.logprobs),
    )


def _list_first_tokens(logprobs: _Logprobs | None) -> tuple[tuple[str, float], ...]:
    chances: Sequence[_TokenChances] = () if logprobs is None or logprobs.content is None else logprobs.content
    return tuple((chance.token, chance.logprob) for chance in chances[0].top_logprobs) if chances else ()


def _build_picture_part(content: bytes) -> dict[str, Any]:
    kind = next((name for start, name in _TYPES if content.startswith(start)), "png")
    url = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return {"type": "image_url", "image_url": {"url": url}}
