"""Places texts in boxes of a sheet, and splits a text into a title and the rest."""

import re
from typing import Literal, NamedTuple

from PIL import Image, ImageDraw

from safety_core.small.rendering.job import Job
from safety_core.small.rendering.typography.symbols import Rgb
from safety_core.small.rendering.typography.typesetting import Block, DoesNotFit, Style, draw_block

Upright = Literal["top", "middle", "bottom"]


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Horizontal side."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Vertical side."""
        return self.bottom - self.top

    def shrink(self, x: float, y: float | None = None) -> "Box":
        """Leave a margin on all sides."""
        y = x if y is None else y
        return Box(self.left + x, self.top + y, self.right - x, self.bottom - y)

    def cut(self, *, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> "Box":
        """Leave a margin on some sides."""
        return Box(self.left + left, self.top + top, self.right - right, self.bottom - bottom)


def frame_sheet(image: Image.Image, share: float = 0.06) -> Box:
    """Box of a sheet without a margin; ``share`` is that of the shorter side."""
    return Box(0, 0, image.width, image.height).shrink(min(image.size) * share)


def place_text(
    job: Job, image: Image.Image, text: str, style: Style, box: Box, *, largest: float, upright: Upright = "top"
) -> Box:
    """Draw a text into a box as large as fits, and return the box that it takes.

    Raises:
        DoesNotFit: it is too long at the smallest legible size.
    """
    if box.width <= 0 or box.height <= 0:
        raise DoesNotFit
    block = job.fit(text, style, box.width, box.height, largest=largest)
    return place_block(image, block, box, upright)


def place_block(image: Image.Image, block: Block, box: Box, upright: Upright = "top") -> Box:
    """Draw a block into a box, and return the part that it takes."""
    slack = box.height - block.height
    y = box.top + {"top": 0.0, "middle": slack / 2, "bottom": slack}[upright]
    draw_block(image, block, box.left, y, box.width)
    left = (
        box.left
        + {"left": 0.0, "centre": (box.width - block.width) / 2, "right": box.width - block.width}[block.style.align]
    )
    return Box(left, y, left + block.width, y + block.height)


def split_title(text: str) -> tuple[str, str]:
    """Split a text of several lines into its first line and the rest; a single line is a title only."""
    title, _, rest = text.partition("\n")
    return title, rest


def split_halves(text: str) -> tuple[str, str]:
    """Split a text into two parts of similar length: at a line feed, after a sentence or comma, or between words."""
    lines = text.split("\n")
    if len(lines) > 1:
        sums = [abs(2 * len("\n".join(lines[:at])) - len(text)) for at in range(1, len(lines))]
        at = sums.index(min(sums)) + 1
        return "\n".join(lines[:at]), "\n".join(lines[at:])
    for pattern in (r"(?<=[.!?:;])\s+", r"(?<=,)\s+", r"\s+"):
        ends = [match.span() for match in re.finditer(pattern, text)]
        good = [span for span in ends if 0.25 < span[0] / len(text) < 0.75]
        if good:
            start, end = min(good, key=lambda span: abs(span[0] - len(text) / 2))
            return text[:start], text[end:]
    return text, ""


def draw_frame(image: Image.Image, box: Box, colour: Rgb, width: int, radius: float = 0) -> None:
    """Draw the outline of a box."""
    ImageDraw.Draw(image).rounded_rectangle(tuple(box), radius, outline=colour, width=width)


def fill_box(image: Image.Image, box: Box, colour: Rgb, radius: float = 0, outline: Rgb | None = None) -> None:
    """Fill a box."""
    ImageDraw.Draw(image).rounded_rectangle(tuple(box), radius, fill=colour, outline=outline, width=2)
