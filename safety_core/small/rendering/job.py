"""What a layout is given: the text, a photograph, the source of chance, and the faces and sizes that it may use."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from PIL import Image

from safety_core.small.rendering.finishing import Finish
from safety_core.small.rendering.grounds import LONGEST, SHORTEST, Size, cover_photograph, paint_scene
from safety_core.small.rendering.typography import faces
from safety_core.small.rendering.typography.symbols import Rgb
from safety_core.small.rendering.typography.typesetting import Align, Block, Style, fit_block

_UNSCALED_SIDE = 960
"""Longest side of a picture whose capitals may have the smallest height; larger pictures have larger capitals."""


@dataclass(slots=True, kw_only=True)
class Job:
    """One picture to lay out; an attempt after one whose text did not fit has more room."""

    text: str
    rng: Random
    test: bool
    """Whether the picture belongs to the test split."""

    photograph: Image.Image | None = None
    growth: float = 1.0
    """Factor of the picture's usual size."""

    cap_height: int = field(default=faces.CAP_HEIGHT, init=False)
    """Smallest height of a capital, given the picture's size."""

    lowest_capital: float = field(default=float(LONGEST), init=False)
    """Height of the lowest capital that was set, in pixels."""

    def choose_size(self, *shapes: float, low: int = 400, high: int = 860, mounted: bool = False) -> Size:
        """Choose the size of a sheet.

        Args:
            shapes: ratios of width and height to choose from.
            low: smallest usual longer side.
            high: largest usual longer side.
            mounted: whether the sheet will lie on a ground (:meth:`surround`), which must not be too large either.
        """
        ratio = self.rng.choice(shapes) * self.rng.uniform(0.92, 1.08)
        longest = LONGEST / 1.3 if mounted else LONGEST
        side = min(self.rng.uniform(low, high) * self.growth, longest)
        if self.growth > 1.5:  # long texts need more of a square
            ratio = ratio**0.5 if self.growth < 3 else ratio**0.15
        width, height = (side, side / ratio) if ratio >= 1 else (side * ratio, side)
        size = max(SHORTEST, round(width)), max(SHORTEST, round(height))
        whole = max(size) * (1.3 if mounted else 1.0)
        slack = 1.18 if mounted else 1.0
        self.cap_height = round(faces.CAP_HEIGHT * max(1.0, whole / _UNSCALED_SIDE) * slack + 0.49)
        return size

    def surround(self, size: Size, *, least: float = 0.06, most: float = 0.28) -> Size:
        """Size of a ground with room around a sheet."""
        width = min(LONGEST, round(size[0] * (1 + self.rng.uniform(least, most))))
        height = min(LONGEST, round(size[1] * (1 + self.rng.uniform(least, most))))
        return max(width, SHORTEST), max(height, SHORTEST)

    def choose_style(
        self,
        *styles: faces.Style,
        colour: Rgb = (0, 0, 0),
        align: Align = "left",
        capitals: bool = False,
        balanced: bool = False,
        leading: float | None = None,
    ) -> Style:
        """Choose a face of one of the styles, and how it is set."""
        face = faces.pick_face(self.rng, styles, test=self.test)
        return Style(
            face=face,
            weight=self.rng.choice(face.weights),
            colour=colour,
            align=align,
            capitals=capitals,
            balanced=balanced,
            leading=leading if leading is not None else self.rng.uniform(1.15, 1.4),
        )

    def find_smallest(self, style: Style) -> int:
        """Smallest legible size of a style in pixels per em."""
        return faces.find_smallest_px(style.face, self.cap_height)

    def fit(self, text: str, style: Style, width: float, height: float, *, largest: float) -> Block:
        """Set a text as large as fits, at most ``largest`` pixels per em; raises DoesNotFit."""
        block = fit_block(text, style, width, height, largest=round(largest), smallest=self.find_smallest(style))
        self.note_size(style, block.px)
        return block

    def note_size(self, style: Style, px: int) -> None:
        """Remember the height of the lowest capital."""
        self.lowest_capital = min(self.lowest_capital, px * faces.measure_capitals(style.face))

    def paint_photograph(self, size: Size) -> Image.Image:
        """Fill a size with the photograph, or with a made-up one where there is none."""
        if self.photograph is None:
            return paint_scene(self.rng, size)
        return cover_photograph(self.rng, self.photograph, size)


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to show a text of some kind."""

    draw: Callable[[Job], Image.Image]
    """Draws the sheet; raises DoesNotFit where the text is too long for it."""

    finish: Finish = "screen"

    test: bool = False
    """Whether only pictures of the test split use it."""
