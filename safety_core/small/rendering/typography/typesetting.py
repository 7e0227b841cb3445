"""Sets a text in type: wraps it, fits it into a box, draws it. Characters that a face lacks come from elsewhere.

Lengths are in pixels. Knows no layout and no picture kind.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from PIL import Image, ImageDraw

from safety_core.small.rendering.typography.faces import FACES, Face, has_glyph, load_font
from safety_core.small.rendering.typography.symbols import EQUIVALENTS, INVISIBLE, SYMBOLS, Rgb, draw_symbol

Align = Literal["left", "centre", "right"]

_MARKER = re.compile(r"^\s*(?:\d{1,2}[.):]?|[-*•·☐☒□✓✗→]|[a-hA-H][.)]|(?:Step|STEP|step) \d{1,2}[:.]?)\s+(?=\S)")
"""The number or bullet that begins a point of a list."""

_STAND_INS: tuple[Face, ...] = tuple(face for face in FACES if face.name in {"Roboto", "Montserrat"})
"""Faces that lend characters which another face lacks."""

SYMBOL_SIZE = 0.86
"""Side of a drawn sign as a share of the size of the type."""


class DoesNotFit(Exception):
    """A text is too long for its box at the smallest legible size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a text is set, but for its size."""

    face: Face

    weight: int = 400

    colour: Rgb = (0, 0, 0)

    align: Align = "left"

    leading: float = 1.28
    """Distance of two lines as a multiple of the size."""

    capitals: bool = False
    """Whether the text is set in capitals."""

    outline: float = 0.0
    """Width of the outline as a share of the size."""

    outline_colour: Rgb = (0, 0, 0)

    shadow: Rgb | None = None
    """Colour of a shadow to the lower right."""

    balanced: bool = False
    """Whether lines are made about equally long."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a block."""

    text: str
    indent: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A text that is wrapped at a size."""

    lines: tuple[Line, ...]
    style: Style
    px: int
    """Size in pixels per em."""

    width: float
    """Width of its widest line."""

    @property
    def line_height(self) -> int:
        """Distance of two lines."""
        return round(self.px * self.style.leading)

    @property
    def height(self) -> int:
        """Height of all lines; the last takes its own height only."""
        return self.line_height * (len(self.lines) - 1) + round(self.px * 1.2)


@lru_cache(maxsize=16_384)
def _split_runs(face: Face, text: str) -> tuple[tuple[Face | None, str], ...]:
    """Split a line into runs of one face each; a run without a face is one drawn sign."""
    runs: list[tuple[Face | None, str]] = []
    for source, character in _choose_sources(face, text):
        if runs and source is not None and runs[-1][0] == source:
            runs[-1] = (source, runs[-1][1] + character)
        else:
            runs.append((source, character))
    return tuple(runs)


def _choose_sources(face: Face, text: str) -> Iterator[tuple[Face | None, str]]:
    """Yield each character with the face that draws it."""
    for character in text:
        if character in INVISIBLE:
            continue
        if has_glyph(face, character):
            yield face, character
        elif character in EQUIVALENTS:
            yield face, EQUIVALENTS[character]
        elif character in SYMBOLS:
            yield None, character
        else:
            yield next((other for other in _STAND_INS if has_glyph(other, character)), None), character


@lru_cache(maxsize=65_536)
def measure_width(face: Face, weight: int, px: int, text: str) -> float:
    """Measure the width of a line."""
    return sum(
        load_font(source, px, weight).getlength(run) if source else px * (SYMBOL_SIZE + 0.1)
        for source, run in _split_runs(face, text)
    )


def wrap_text(text: str, style: Style, px: int, width: float, *, break_words: bool = False) -> list[Line] | None:
    """Break a text into lines; points of lists hang.

    Args:
        text: line feeds are kept.
        style: how it is set.
        px: size.
        width: width of the box.
        break_words: whether a word that is wider than the box is divided.

    Returns:
        The lines, or None if a word is wider than the box.
    """
    lines: list[Line] = []
    for paragraph in text.split("\n"):
        wrapped = _wrap_paragraph(paragraph.rstrip(), style, px, width, break_words)
        if wrapped is None:
            return None
        lines += wrapped
    return lines


def _wrap_paragraph(text: str, style: Style, px: int, width: float, break_words: bool) -> list[Line] | None:
    """Wrap one paragraph."""

    def measure(line: str) -> float:
        return measure_width(style.face, style.weight, px, line)

    marker = _MARKER.match(text)
    hang = measure(marker.group()) if marker else 0.0
    if hang > width / 3:
        hang = 0.0
    if measure(text) <= width:
        return [Line(text)]
    words = _split_words(text, measure, width - hang) if break_words else re.findall(r"\s*\S+", text)
    lines: list[Line] = []
    current = ""
    for word in words:
        indent = hang if lines else 0.0
        if current and indent + measure(current + word) > width:
            lines.append(Line(current, indent))
            current, indent = word.lstrip(), hang
        else:
            current += word
        if indent + measure(current) > width:
            return None
    return [*lines, Line(current, hang if lines else 0.0)]


def _split_words(text: str, measure: object, width: float) -> list[str]:
    """Split a text at spaces, and words that are wider than the box anywhere."""
    assert callable(measure)
    pieces: list[str] = []
    for word in re.findall(r"\s*\S+", text):
        while measure(word) > width and len(word) > 2:
            end = max(1, next((n for n in range(len(word), 0, -1) if measure(word[:n]) <= width), 1))
            pieces.append(word[:end])
            word = word[end:]
        pieces.append(word)
    return pieces


def set_block(text: str, style: Style, px: int, width: float, *, break_words: bool = False) -> Block | None:
    """Set a text at a given size; None if a word is wider than the box."""
    shown = text.upper() if style.capitals else text
    lines = wrap_text(shown, style, px, width, break_words=break_words)
    if lines is None:
        return None
    if style.balanced and len(lines) > 1:
        lines = _balance_lines(shown, style, px, width, lines)
    widest = max((line.indent + measure_width(style.face, style.weight, px, line.text) for line in lines), default=0.0)
    return Block(lines=tuple(lines), style=style, px=px, width=widest + 2 * style.outline * px)


def _balance_lines(text: str, style: Style, px: int, width: float, lines: list[Line]) -> list[Line]:
    """Wrap again at the smallest width that gives as many lines."""
    low, high = width / 2, width
    best = lines
    for _ in range(6):
        middle = (low + high) / 2
        tried = wrap_text(text, style, px, middle)
        if tried is not None and len(tried) <= len(lines):
            best, high = tried, middle
        else:
            low = middle
    return best


def fit_block(text: str, style: Style, width: float, height: float, *, largest: int, smallest: int) -> Block:
    """Set a text as large as fits into a box.

    Raises:
        DoesNotFit: it is too long at the smallest size.
    """
    low, high = smallest, max(smallest, largest)
    best: Block | None = None
    while low <= high:
        px = (low + high) // 2
        block = set_block(text, style, px, width - 2 * style.outline * px)
        if block is not None and block.height <= height:
            best, low = block, px + 1
        else:
            high = px - 1
    if best is None:
        best = set_block(text, style, smallest, width - 2 * style.outline * smallest, break_words=True)
        if best is None or best.height > height or best.width > width:
            raise DoesNotFit
    return best


def draw_block(image: Image.Image, block: Block, x: float, y: float, width: float | None = None) -> None:
    """Draw a block with its upper left corner at (x, y), aligned in a box of ``width`` (by default its own)."""
    room = block.width if width is None else width
    for number, line in enumerate(block.lines):
        length = line.indent + measure_width(block.style.face, block.style.weight, block.px, line.text)
        slack = {"left": 0.0, "centre": (room - length) / 2, "right": room - length}[block.style.align]
        draw_line(image, line.text, block.style, block.px, x + slack + line.indent, y + number * block.line_height)


def draw_line(image: Image.Image, text: str, style: Style, px: int, x: float, y: float) -> float:
    """Draw one line with its top (ascender) at y; returns the x of its end."""
    pen = ImageDraw.Draw(image)
    baseline = y + px * 0.94
    stroke = round(style.outline * px)
    for source, run in _split_runs(style.face, text):
        if source is None:
            side = round(px * SYMBOL_SIZE)
            sign = draw_symbol(run, side, style.colour)
            image.paste(sign, (round(x + px * 0.05), round(baseline - side * 0.9)), sign)
            x += px * (SYMBOL_SIZE + 0.1)
            continue
        font = load_font(source, px, style.weight)
        if style.shadow is not None:
            offset = max(1, round(px * 0.05))
            pen.text((x + offset, baseline + offset), run, fill=style.shadow, font=font, anchor="ls")
        pen.text(
            (x, baseline),
            run,
            fill=style.colour,
            font=font,
            anchor="ls",
            stroke_width=stroke,
            stroke_fill=style.outline_colour if stroke else None,
        )
        x += font.getlength(run)
    return x
