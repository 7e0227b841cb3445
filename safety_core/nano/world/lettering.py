"""Lettering: the shipped fonts, and how words become a block that fits into a picture. Knows no risk and no models."""

from functools import cache, lru_cache
from random import Random

from PIL import ImageFont

from safety_core.nano.world.scene import (
    BACKGROUNDS,
    COLOURS,
    MAX_ANGLE,
    MAX_PX,
    MIN_PX,
    SIDE,
    Lettering,
    Words,
    line_height,
    luminance,
)
from safety_core.nano.world.things import ASSETS

STRETCH = (0.82, 1.0)
"""How narrow varied lettering gets; condensed faces are about 0.9 as wide as their plain ones."""

SLANT = (0.05, 0.25)
"""How far varied lettering leans; oblique faces lean by about 0.2."""


@cache
def font(name: str, px: int) -> ImageFont.FreeTypeFont:
    """A shipped lettering font at ``px`` pixels."""
    return ImageFont.truetype(str(ASSETS / "fonts" / f"{name}.ttf"), px)


@lru_cache(maxsize=200_000)
def text_width(name: str, px: int, text: str) -> float:
    """Width of a run of lettering in pixels."""
    return font(name, px).getlength(text)


def readable_colours(background: str) -> tuple[str, ...]:
    """Lettering colours that stand out from a background."""
    ground = luminance(BACKGROUNDS[background])
    return tuple(name for name, rgb in COLOURS.items() if abs(luminance(rgb) - ground) >= 80)


def wrap(rng: Random, words: tuple[str, ...], face: str, px: int, width: float) -> tuple[tuple[str, ...], ...] | None:
    """Break words into lines of at most ``width`` pixels, now and then earlier than needed; None if one is wider."""
    lines: list[list[str]] = [[]]
    for word in words:
        if text_width(face, px, word) > width:
            return None
        longer = " ".join((*lines[-1], word))
        if lines[-1] and (text_width(face, px, longer) > width or rng.random() < 0.25):
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
        words: words to wrap, or lines that are kept as they are.
        background: colour that the lettering must stand out from.
        fonts: faces to choose from.
        px: lettering size; drawn at random and made smaller until the block fits when None.
        max_height: room for the block in pixels.
        tilt: whether the block may be rotated.
        varied: narrow the letters and make them lean, so that a face stands for others that are never shown.

    Returns:
        The block, or None where it does not fit at ``px`` (or at the smallest size).
    """
    face = rng.choice(fonts)
    colour = rng.choice(readable_colours(background))
    stretch = rng.uniform(*STRETCH) if varied else 1.0
    slant = rng.choice((0.0, rng.uniform(*SLANT))) if varied else 0.0
    sizes = [px] if px is not None else range(rng.randint(MIN_PX, MAX_PX), MIN_PX - 1, -2)
    margin = 5
    for size in sizes:
        room = SIDE - 2 * margin
        lines = wrap(rng, words, face, size, (room - slant * size) / stretch) if isinstance(words[0], str) else words
        if lines is None:
            continue
        width = max(text_width(face, size, " ".join(line)) for line in lines) * stretch + slant * size
        height = line_height(size) * len(lines)
        if width > room or height > max_height:
            continue
        # A tilted block needs room on both sides: its corners swing out by about sin(angle).
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


def block_width(block: Lettering) -> float:
    """Width of a block in pixels, before it is tilted."""
    widest = max(text_width(block.font, block.px, " ".join(line)) for line in block.lines)
    return widest * block.stretch + block.slant * block.px


def free_cells(lettering: Lettering | None) -> list[int]:
    """Cells of rows that a block of lettering leaves empty."""
    if lettering is None:
        return list(range(9))
    swing = abs(lettering.angle) / 57.3 * block_width(lettering) / 2
    top, bottom = lettering.top - swing - 1, lettering.top + lettering.height + swing + 1
    third = SIDE / 3
    return [cell for cell in range(9) if (cell // 3 + 1) * third <= top or cell // 3 * third >= bottom]


def line_boxes(block: Lettering) -> list[tuple[float, float, str]]:
    """(left, top, text) of each line; lines share the block's left edge."""
    return [
        (block.left, block.top + row * line_height(block.px), " ".join(line)) for row, line in enumerate(block.lines)
    ]


def pivot(block: Lettering) -> tuple[float, float]:
    """The point around which a block is tilted."""
    return block.left + block_width(block) / 2, block.top + block.height / 2
