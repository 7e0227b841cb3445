"""Lettering: the shipped fonts, and words laid out and drawn in a picture. Knows nothing of risk or models."""

import math
from functools import cache, lru_cache
from random import Random

from PIL import Image, ImageDraw, ImageFont

from safety_core.nano.world.scene import (
    BACKGROUNDS,
    COLOURS,
    MAX_ANGLE,
    MAX_PX,
    MIN_PX,
    SIDE,
    Lettering,
    Words,
    compute_line_height,
    compute_luminance,
)
from safety_core.nano.world.things import ASSETS

STRETCH = (0.82, 1.0)
"""Range of the width of varied lettering; condensed typefaces have about 0.9 of the width of the regular ones."""

SLANT = (0.05, 0.25)
"""Range of the slant of varied lettering; oblique typefaces have about 0.2."""


@cache
def load_font(name: str, px: int) -> ImageFont.FreeTypeFont:
    """Load a shipped font at ``px`` pixels."""
    return ImageFont.truetype(str(ASSETS / "fonts" / f"{name}.ttf"), px)


@lru_cache(maxsize=200_000)
def measure_text_width(name: str, px: int, text: str) -> float:
    """Measure the width of a text in pixels."""
    return load_font(name, px).getlength(text)


def list_readable_colours(background: str) -> tuple[str, ...]:
    """List the colours of lettering with enough contrast to a background."""
    ground = compute_luminance(BACKGROUNDS[background])
    return tuple(name for name, rgb in COLOURS.items() if abs(compute_luminance(rgb) - ground) >= 80)


def wrap_words(
    rng: Random, words: tuple[str, ...], face: str, px: int, width: float
) -> tuple[tuple[str, ...], ...] | None:
    """Break words into lines of at most ``width`` pixels, at random also earlier; None if one word is wider."""
    lines: list[list[str]] = [[]]
    for word in words:
        if measure_text_width(face, px, word) > width:
            return None
        longer = " ".join((*lines[-1], word))
        if lines[-1] and (measure_text_width(face, px, longer) > width or rng.random() < 0.25):
            lines.append([])
        lines[-1].append(word)
    return tuple(tuple(line) for line in lines)


def place_lettering(
    rng: Random,
    words: Words,
    background: str,
    *,
    fonts: tuple[str, ...],
    px: int | None = None,
    max_height: int = SIDE - 8,
    tilt: bool = True,
    varied: bool = False,
) -> Lettering | None:
    """Lay words out as a block somewhere in the picture, in reading order.

    Args:
        rng: the scene's random source.
        words: words to wrap, or fixed lines.
        background: colour that the lettering must contrast with.
        fonts: typefaces to choose from.
        px: height of the lettering; when None, a random height that is reduced until the block fits.
        max_height: largest height of the block in pixels.
        tilt: whether the block may be rotated.
        varied: narrow and slant the letters, so that the trained typefaces cover more shapes.

    Returns:
        The block, or None if it does not fit at ``px`` (or at the smallest size).
    """
    face = rng.choice(fonts)
    colour = rng.choice(list_readable_colours(background))
    stretch = rng.uniform(*STRETCH) if varied else 1.0
    slant = rng.choice((0.0, rng.uniform(*SLANT))) if varied else 0.0
    sizes = [px] if px is not None else range(rng.randint(MIN_PX, MAX_PX), MIN_PX - 1, -2)
    margin = 5
    for size in sizes:
        room = SIDE - 2 * margin
        lines = (
            wrap_words(rng, words, face, size, (room - slant * size) / stretch) if isinstance(words[0], str) else words
        )
        if lines is None:
            continue
        width = max(measure_text_width(face, size, " ".join(line)) for line in lines) * stretch + slant * size
        height = compute_line_height(size) * len(lines)
        if width > room or height > max_height:
            continue
        # A tilted block needs room on both sides: its corners move out by about sin(angle).
        slack = min(room - width + margin, (SIDE - 4 - height))
        limit = min(MAX_ANGLE, 57.3 * max(0.0, slack) / max(width, height))
        angle = rng.uniform(-limit, limit) if tilt and rng.random() < 0.6 else 0.0
        swing = int(abs(angle) / 57.3 * width / 2)
        top_room = max(0, SIDE - height - 2 * swing - 4)
        left_room = max(0, int(SIDE - 2 * margin - width))
        return Lettering(
            lines=lines,
            font=face,
            px=size,
            colour=colour,
            left=margin + rng.randint(0, left_room),
            top=2 + swing + rng.randint(0, top_room),
            angle=angle,
            stretch=stretch,
            slant=slant,
        )
    return None


def measure_block_width(block: Lettering) -> float:
    """Measure the width of a block in pixels, before it is tilted."""
    widest = max(measure_text_width(block.font, block.px, " ".join(line)) for line in block.lines)
    return widest * block.stretch + block.slant * block.px


def list_free_cells(lettering: Lettering | None) -> list[int]:
    """List the cells of rows that a block of lettering does not touch."""
    if lettering is None:
        return list(range(9))
    swing = abs(lettering.angle) / 57.3 * measure_block_width(lettering) / 2
    top, bottom = lettering.top - swing - 1, lettering.top + lettering.height + swing + 1
    third = SIDE / 3
    return [cell for cell in range(9) if (cell // 3 + 1) * third <= top or cell // 3 * third >= bottom]


def place_lines(block: Lettering) -> list[tuple[float, float, str]]:
    """Place each line: (left, top, text); lines share the block's left edge."""
    return [
        (block.left, block.top + row * compute_line_height(block.px), " ".join(line))
        for row, line in enumerate(block.lines)
    ]


def find_pivot(block: Lettering) -> tuple[float, float]:
    """Find the point around which a block is tilted."""
    return block.left + measure_block_width(block) / 2, block.top + block.height / 2


def draw_lettering(canvas: Image.Image, block: Lettering) -> None:
    """Draw a block of lettering into an RGB picture of SIDE x SIDE pixels."""
    layer = Image.new("L", (SIDE, SIDE), 0)
    pen = ImageDraw.Draw(layer)
    for left, top, text in place_lines(block):
        if block.stretch == 1.0 and block.slant == 0.0:
            pen.text((left, top), text, fill=255, font=load_font(block.font, block.px))
        else:
            layer.paste(255, (0, 0), _draw_reshaped_line(block, left, top, text))
    if block.angle:
        layer = layer.rotate(block.angle, resample=Image.Resampling.BICUBIC, center=find_pivot(block))
    canvas.paste(Image.new("RGB", (SIDE, SIDE), COLOURS[block.colour]), (0, 0), layer)


def _draw_reshaped_line(block: Lettering, left: float, top: float, text: str) -> Image.Image:
    """Draw one line of narrowed or slanted letters, as a mask of the whole picture."""
    width = math.ceil(measure_text_width(block.font, block.px, text)) + 4
    line = Image.new("L", (width, block.line_height + 4), 0)
    ImageDraw.Draw(line).text((0, 0), text, fill=255, font=load_font(block.font, block.px))
    # PIL's transform maps result to source: undo the slant about the baseline, then the narrowing.
    foot = top + block.px
    row = (1 / block.stretch, block.slant / block.stretch, -(left + block.slant * foot) / block.stretch)
    return line.transform((SIDE, SIDE), Image.Transform.AFFINE, (*row, 0, 1, -top), Image.Resampling.BICUBIC)
