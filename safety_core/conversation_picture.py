"""Draws a guarded conversation as SVG, as in the README: pictures, prompts, decisions and replies of a guard.

The questions come from the caller. Knows nothing of training.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

from safety_core.engine.guard import Guard
from safety_core.engine.messages import ChatRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits

_WIDTH, _ROW, _MARGIN, _THUMB = 860, 132, 24, 108
_TEXT_X = _MARGIN + _THUMB + 24
_CHARACTERS = 74
_COLOURS = {"allowed": "#1a7f37", "cautioned": "#9a6700", "refused": "#cf222e"}
_JPEG_START = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt, with or without a picture."""

    prompt: str
    """The prompt."""

    file: str | None = None
    """Name of the picture; None without one."""

    picture: bytes = b""
    """The picture as PNG or JPEG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question with the guard's decision and reply."""

    question: Question

    decision: str
    """The guard's decision."""

    risk: str
    """Risk type and level of the guard's assessment, as text."""

    reply: str
    """The model's reply, or the refusal."""


def run_conversation(guard: Guard, questions: Iterable[Question]) -> list[Exchange]:
    """Ask a guard each question by itself.

    Raises:
        InputError: a question exceeds the guard's limits.
        GenerationError: the language model failed.
    """
    return [_ask(guard, question) for question in questions]


def _ask(guard: Guard, question: Question) -> Exchange:
    limits = guard.info.limit_images(ImageLimits())
    pictures = [] if question.file is None else [question.picture]
    images = tuple(decode_image(picture, limits=limits, fill=guard.info.pad_colour) for picture in pictures)
    reply = guard.answer(ChatRequest(images=images, turns=(Turn(role="user", text=question.prompt),)))
    found = reply.verdict.assessment
    assert found is not None, "a decoded example always gets a verdict"
    return Exchange(
        question=question,
        decision=str(reply.verdict.verdict.decision),
        risk=f"{found.type}, level {found.level.index}",
        reply=str(reply.refusal or reply.content),
    )


def render_svg(exchanges: Sequence[Exchange]) -> str:
    """Render the conversation as a self-contained SVG for light and dark pages."""
    height = len(exchanges) * _ROW + _MARGIN
    rows = "".join(_render_row(exchange, _MARGIN + index * _ROW) for index, exchange in enumerate(exchanges))
    summary = " ".join(f"{one.question.prompt} {one.decision}: {one.reply}" for one in exchanges)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img" font-family="system-ui, sans-serif">'
        f"<title>A guarded conversation</title><desc>{escape(summary)}</desc>"
        f'<rect width="{_WIDTH}" height="{height}" rx="12" fill="#ffffff" stroke="#d0d7de"/>{rows}</svg>\n'
    )


def _render_row(exchange: Exchange, top: int) -> str:
    colour = _COLOURS[exchange.decision]
    label = f"{exchange.decision} · {exchange.risk}"
    lines = wrap(exchange.reply, _CHARACTERS)
    reply = "".join(
        f'<tspan x="{_TEXT_X}" dy="{0 if n == 0 else 20}">{escape(one)}</tspan>' for n, one in enumerate(lines)
    )
    return (
        f"{_render_picture(exchange.question, top)}"
        f'<text x="{_TEXT_X}" y="{top + 18}" font-size="15" font-weight="600" fill="#1f2328">'
        f"{escape(exchange.question.prompt)}</text>"
        f'<circle cx="{_TEXT_X + 5}" cy="{top + 39}" r="5" fill="{colour}"/>'
        f'<text x="{_TEXT_X + 18}" y="{top + 44}" font-size="13" fill="{colour}">{escape(label)}</text>'
        f'<text y="{top + 72}" font-size="15" fill="#1f2328">{reply}</text>'
    )


def _render_picture(question: Question, top: int) -> str:
    """Fill a square with the picture, or with a frame that says that there is none."""
    if question.file is None:
        return (
            f'<rect x="{_MARGIN}" y="{top}" width="{_THUMB}" height="{_THUMB}" rx="8" fill="#f6f8fa" stroke="#d0d7de"/>'
            f'<text x="{_MARGIN + _THUMB // 2}" y="{top + _THUMB // 2 + 5}" font-size="13" text-anchor="middle" '
            f'fill="#59636e">no picture</text>'
        )
    packed = base64.b64encode(question.picture).decode("ascii")
    kind = "jpeg" if question.picture.startswith(_JPEG_START) else "png"
    return (
        f'<image x="{_MARGIN}" y="{top}" width="{_THUMB}" height="{_THUMB}" preserveAspectRatio="xMidYMid slice" '
        f'href="data:image/{kind};base64,{packed}"/>'
    )


def format_table(exchanges: Sequence[Exchange], folder: str) -> str:
    """Format the conversation as rows of a Markdown table: picture, prompt, decision, reply.

    Args:
        exchanges: the conversation.
        folder: path of the pictures, relative to the page.
    """
    return "".join(
        f"| {_format_picture(one.question, folder)} | {one.question.prompt} | {one.decision} ({one.risk}) "
        f"| {' '.join(one.reply.split())} |\n"
        for one in exchanges
    )


def _format_picture(question: Question, folder: str) -> str:
    return "" if question.file is None else f"![{question.file}]({folder}/{question.file}) `{question.file}`"
