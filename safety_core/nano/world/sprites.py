"""The pictograms as a sprite sheet, and the script that renders it.

``python -m safety_core.nano.world.sprites FONT.ttf`` renders every thing from an openly licensed colour emoji font;
the sheet ships as package data (``assets/``, with its licence), so neither a build nor a test needs the font.
"""

import sys
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from safety_core.nano.world.things import ASSETS, THINGS

SPRITE = 56
"""Side of a sprite in the sheet in pixels, at least that of any item in a scene."""

COLUMNS = 16
_STRIKE = 109
"""The only size at which the colour emoji font has bitmaps."""


def render_sheet(font_path: Path) -> Image.Image:
    """Draw every thing into one RGBA sheet, cropped to its visible pixels and centred.

    Raises:
        ValueError: the font has no picture for one of the things.
    """
    font = ImageFont.truetype(str(font_path), _STRIKE)
    rows = -(-len(THINGS) // COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * SPRITE, rows * SPRITE), (0, 0, 0, 0))
    for index, thing in enumerate(THINGS):
        glyph = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
        ImageDraw.Draw(glyph).text((8, 8), chr(thing.codepoint), font=font, embedded_color=True)
        box = glyph.getbbox()
        if box is None:
            raise ValueError(f"the font has no picture for {thing.name} (U+{thing.codepoint:04X})")
        glyph = glyph.crop(box)
        side = max(glyph.size)
        square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        square.paste(glyph, ((side - glyph.width) // 2, (side - glyph.height) // 2))
        square = square.resize((SPRITE, SPRITE), Image.Resampling.LANCZOS)
        sheet.paste(square, (index % COLUMNS * SPRITE, index // COLUMNS * SPRITE))
    return sheet


@cache
def crop_sprite(index: int) -> Image.Image:
    """Crop the pictogram of ``THINGS[index]``: RGBA, ``SPRITE`` pixels square."""
    left, top = index % COLUMNS * SPRITE, index // COLUMNS * SPRITE
    return _load_sheet().crop((left, top, left + SPRITE, top + SPRITE))


@cache
def _load_sheet() -> Image.Image:
    with Image.open(ASSETS / "sprites.png") as image:
        return image.convert("RGBA")


if __name__ == "__main__":
    render_sheet(Path(sys.argv[1])).save(ASSETS / "sprites.png", optimize=True)
