"""Draws the picture of a guarded conversation in the README from the replies of a guard.

The guard receives the example pictures with their prompts, and one picture also with a harmless prompt, to show that it
judges picture and prompt together. Knows nothing of training.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from textwrap import wrap

from safety_core.engine.guard import Guard
from safety_core.engine.messages import ChatRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.nano.build.examples import EXAMPLES, Example
from safety_core.nano.world.drawing import draw

INNOCENT_PROMPT = "What is in this picture?"
"""First prompt with the picture of the weapon."""

_WIDTH, _ROW, _MARGIN, _THUMB = 860, 132, 24, 108
_TEXT_X = _MARGIN + _THUMB + 24
_CHARACTERS = 74
_COLOURS = {"allowed": "#1a7f37", "cautioned": "#9a6700", "refused": "#cf222e"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleExchange:
    """One picture and prompt, with decision and reply."""

    file: str
    """Name of the example picture."""

    picture: bytes
    """The picture as PNG."""

    prompt: str
    """The prompt."""

    decision: str
    """The guard's decision."""

    risk: str
    """Risk type and level of the guard's assessment, as text."""

    reply: str
    """The model's reply, or the refusal."""


def run_conversation(guard: Guard) -> list[ExampleExchange]:
    """Send the examples to a guard.

    Raises:
        InputError: an example exceeds the guard's limits.
        GenerationError: the language model failed.
    """
    exchanges = []
    for example in EXAMPLES:
        if example.file == "weapon.png":
            exchanges.append(_send_example(guard, example, INNOCENT_PROMPT))
        exchanges.append(_send_example(guard, example, example.prompt))
    return exchanges


def _send_example(guard: Guard, example: Example, prompt: str) -> ExampleExchange:
    png = BytesIO()
    draw(example.scene).save(png, "PNG")
    picture = decode_image(png.getvalue(), fill=guard.info.pad_colour)
    reply = guard.answer(ChatRequest(images=(picture,), turns=(Turn(role="user", text=prompt),)))
    found = reply.verdict.assessment
    assert found is not None, "a decoded example always gets a verdict"
    return ExampleExchange(
        file=example.file,
        picture=png.getvalue(),
        prompt=prompt,
        decision=str(reply.verdict.verdict.decision),
        risk=f"{found.type}, level {found.level.index}",
        reply=str(reply.refusal or reply.content),
    )


def render_svg(exchanges: Sequence[ExampleExchange]) -> str:
    """Render the conversation as a self-contained SVG for light and dark pages."""
    height = len(exchanges) * _ROW + _MARGIN
    rows = "".join(_render_row(exchange, _MARGIN + index * _ROW) for index, exchange in enumerate(exchanges))
    summary = " ".join(f"{one.prompt} {one.decision}: {one.reply}" for one in exchanges)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img" font-family="system-ui, sans-serif">'
        f"<title>A guarded conversation</title><desc>{escape(summary)}</desc>"
        f'<rect width="{_WIDTH}" height="{height}" rx="12" fill="#ffffff" stroke="#d0d7de"/>{rows}</svg>\n'
    )


def _render_row(exchange: ExampleExchange, top: int) -> str:
    picture = base64.b64encode(exchange.picture).decode("ascii")
    colour = _COLOURS[exchange.decision]
    label = f"{exchange.decision} · {exchange.risk}"
    lines = wrap(exchange.reply, _CHARACTERS)
    reply = "".join(
        f'<tspan x="{_TEXT_X}" dy="{0 if n == 0 else 20}">{escape(one)}</tspan>' for n, one in enumerate(lines)
    )
    return (
        f'<image x="{_MARGIN}" y="{top}" width="{_THUMB}" height="{_THUMB}" href="data:image/png;base64,{picture}"/>'
        f'<text x="{_TEXT_X}" y="{top + 18}" font-size="15" font-weight="600" fill="#1f2328">'
        f"{escape(exchange.prompt)}</text>"
        f'<circle cx="{_TEXT_X + 5}" cy="{top + 39}" r="5" fill="{colour}"/>'
        f'<text x="{_TEXT_X + 18}" y="{top + 44}" font-size="13" fill="{colour}">{escape(label)}</text>'
        f'<text y="{top + 72}" font-size="15" fill="#1f2328">{reply}</text>'
    )
