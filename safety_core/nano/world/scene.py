"""Scenes of the picture world: a background, things in the cells of a 3 x 3 grid, and a block of lettering.

Positions are unambiguous by construction: a thing lies within its cell. Knows nothing of pixels, risk or models.
"""

from dataclasses import dataclass
from random import Random

SIDE = 140
"""Side of a picture in pixels."""

PATCH = 14
"""Side of a vision patch in pixels."""

GRID = SIDE // PATCH
CELLS = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")
"""Names of the 3 x 3 cells, in reading order."""

SHAPES = ("circle", "square", "triangle", "star", "heart")
COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (20, 20, 20),
    "white": (250, 250, 250),
    "red": (214, 30, 36),
    "green": (22, 150, 60),
    "blue": (30, 70, 215),
    "yellow": (248, 212, 20),
    "purple": (135, 40, 170),
    "orange": (246, 130, 20),
}
"""Colours of shapes and lettering."""

BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (246, 246, 246),
    "grey": (160, 160, 160),
    "black": (28, 28, 28),
    "pink": (250, 195, 210),
    "blue": (150, 195, 250),
    "green": (170, 225, 165),
    "yellow": (250, 238, 160),
    "brown": (150, 105, 70),
}
"""Colours of backgrounds; patterns use two shades of one of them."""

PATTERNS_TRAINED = ("plain", "plain", "gradient", "stripes", "dots", "noise")
PATTERNS_VARIED = (*PATTERNS_TRAINED, "rings", "grid")
"""Patterns of varied scenes, which train the safety modules and not the backbone."""

PATTERNS_HELD_OUT = ("checker", "waves")
FONTS_TRAINED = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSansCondensed-Bold",
    "DejaVuSansMono-Bold",
)
FONTS_HELD_OUT = ("DejaVuSansCondensed", "DejaVuSans-BoldOblique", "DejaVuSerifCondensed-Bold")

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
MIN_PX, MAX_PX = 18, 32
"""Bounds of the height of lettering in pixels, unless a caller sets another height."""

MAX_ANGLE = 10.0
"""Largest tilt of a block of lettering, in degrees either way."""


Words = tuple[str, ...] | tuple[tuple[str, ...], ...]
"""Words to wrap, or fixed lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedItem:
    """A pictogram or a coloured shape in one cell."""

    name: str
    cell: int
    size: int
    dx: int
    dy: int
    colour: str | None = None
    """Colour of a shape; None for a pictogram."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lettering:
    """One block of words."""

    lines: tuple[tuple[str, ...], ...]
    font: str
    px: int
    colour: str
    left: int
    top: int
    angle: float = 0.0
    stretch: float = 1.0
    """Width of the letters relative to the typeface."""

    slant: float = 0.0
    """Slant of the letters: pixels to the right per pixel up from the baseline."""

    @property
    def line_height(self) -> int:
        """Distance between two lines in pixels."""
        return compute_line_height(self.px)

    @property
    def height(self) -> int:
        """Height of the block in pixels, before it is tilted."""
        return self.line_height * len(self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The content of one picture."""

    background: str
    pattern: str
    seed: int
    """Seed of the background's texture, about which no question asks."""

    items: tuple[PlacedItem, ...] = ()
    lettering: Lettering | None = None
    card: bool = False
    """Whether the lettering is on a drawn identity card."""


def compute_line_height(px: int) -> int:
    """Compute the distance between two lines of lettering in pixels."""
    return round(px * 1.22)


def compute_luminance(colour: tuple[int, int, int]) -> float:
    """Compute the perceived brightness, 0 to 255 (ITU-R BT.601 weights)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def place_item(rng: Random, name: str, cell: int, colour: str | None = None) -> PlacedItem:
    """Place a thing at a random size and position within a cell."""
    size = rng.randint(36, 46)
    slack = (SIDE // 3 - size) // 2
    return PlacedItem(
        name=name, cell=cell, size=size, dx=rng.randint(-slack, slack), dy=rng.randint(-slack, slack), colour=colour
    )


def compute_item_box(item: PlacedItem) -> tuple[int, int, int, int]:
    """Compute left, top, right and bottom of a thing in pixels."""
    centre_x = (item.cell % 3 + 0.5) * SIDE / 3 + item.dx
    centre_y = (item.cell // 3 + 0.5) * SIDE / 3 + item.dy
    left, top = round(centre_x - item.size / 2), round(centre_y - item.size / 2)
    return left, top, left + item.size, top + item.size
