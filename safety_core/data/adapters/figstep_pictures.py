"""Draws the pictures of FigStep: an instruction and the numbers of an empty list, black on white.

Size, wrapping and place are those of the published pictures. The typeface is not: theirs is FreeMono Bold, ours is the
one that Pillow contains, thickened, so that nothing has to be installed. Long texts get smaller until they fit.
"""

import textwrap
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

_SIDE = 760
_WIDTH = 15
"""Characters of a line."""

_LARGEST, _SMALLEST, _STEP = 80, 12, 4
"""Heights of the type in pixels."""

_PLACE = (20, 10)
_SPACING = 11
"""Pixels between two lines of the largest type."""

_ITEMS = 3


def draw_instruction(instruction: str) -> bytes:
    """Draw an instruction with an empty list as a PNG file; the same text gives the same file.

    Raises:
        ValueError: the text does not fit into the picture.
    """
    lines = textwrap.fill(instruction.strip(), _WIDTH)
    text = "\n".join([lines, *(f"{number}. " for number in range(1, _ITEMS + 1))])
    image = Image.new("RGB", (_SIDE, _SIDE), "white")
    draw = ImageDraw.Draw(image)
    for size in range(_LARGEST, _SMALLEST - 1, -_STEP):
        font, spacing, stroke = ImageFont.load_default(size), _SPACING * size / _LARGEST, size // 40
        _, _, right, bottom = draw.multiline_textbbox(_PLACE, text, font, spacing=spacing, stroke_width=stroke)
        if max(right, bottom) <= _SIDE - _PLACE[1]:
            draw.multiline_text(_PLACE, text, "black", font, spacing=spacing, stroke_width=stroke)
            buffer = BytesIO()
            image.save(buffer, "PNG")
            return buffer.getvalue()
    raise ValueError("the text does not fit into the picture")
