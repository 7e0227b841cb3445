"""Collages: two to four photographs on a plain canvas, so that places and numbers of pictures are certain.

Knows no questions.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from safety_core.small.alignment.samples.photos import Photo

SIDE = 390
"""Side of a collage in pixels, half as much again as the tower reads."""

_MARGIN = 8

_QUALITY = 90

Cell = tuple[str, float, float, float, float]
"""Where a photograph is, in words, and its left, top, right and bottom as shares of the canvas."""

LAYOUTS: tuple[tuple[Cell, ...], ...] = (
    (("on the left", 0.0, 0.15, 0.5, 0.85), ("on the right", 0.5, 0.15, 1.0, 0.85)),
    (("at the top", 0.15, 0.0, 0.85, 0.5), ("at the bottom", 0.15, 0.5, 0.85, 1.0)),
    (
        ("on the left", 0.0, 0.25, 1 / 3, 0.75),
        ("in the middle", 1 / 3, 0.25, 2 / 3, 0.75),
        ("on the right", 2 / 3, 0.25, 1.0, 0.75),
    ),
    (
        ("at the top left", 0.0, 0.0, 0.5, 0.5),
        ("at the top right", 0.5, 0.0, 1.0, 0.5),
        ("at the bottom left", 0.0, 0.5, 0.5, 1.0),
        ("at the bottom right", 0.5, 0.5, 1.0, 1.0),
    ),
)
"""Arrangements of two to four photographs."""

_CANVASES = ("#ffffff", "#f4f1ea", "#d9dde2", "#20242a", "#000000", "#c8d8e8", "#e9d8c8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collage:
    """Several photographs in one picture."""

    parts: tuple[tuple[Photo, str], ...]
    """Each photograph, and where it is."""

    canvas: str
    """Colour between the photographs."""

    cells: tuple[Cell, ...]
    """The arrangement."""


def arrange(photos: Sequence[Photo], rng: random.Random) -> Collage:
    """Arrange two to four photographs; raises ValueError for another number."""
    layouts = [layout for layout in LAYOUTS if len(layout) == len(photos)]
    if not layouts:
        raise ValueError(f"a collage has two to four photographs, got {len(photos)}")
    cells = rng.choice(layouts)
    return Collage(
        parts=tuple((photo, cell[0]) for photo, cell in zip(photos, cells, strict=True)),
        canvas=rng.choice(_CANVASES),
        cells=cells,
    )


def draw_collage(collage: Collage) -> Image.Image:
    """Draw a collage; each photograph fits into its cell as a whole.

    Raises:
        OSError: a photograph cannot be read.
    """
    canvas = Image.new("RGB", (SIDE, SIDE), collage.canvas)
    for (photo, _), (_, *shares) in zip(collage.parts, collage.cells, strict=True):
        left, top, right, bottom = (round(share * SIDE) for share in shares)
        size = (right - left - _MARGIN, bottom - top - _MARGIN)
        with Image.open(photo.path) as source:
            picture = ImageOps.contain(source.convert("RGB"), size, Image.Resampling.BICUBIC)
        corner = (left + (right - left - picture.width) // 2, top + (bottom - top - picture.height) // 2)
        canvas.paste(picture, corner)
    return canvas


def save_collage(collage: Collage, file: Path) -> None:
    """Write a collage as JPEG; raises OSError if a photograph cannot be read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draw_collage(collage).save(file, quality=_QUALITY)
