"""Draws pictures that are no photographs: noise, drawings and screenshots, to measure the novelty of images with.

Nothing is trained on them. Every picture follows from its number.
"""

import random
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 384
"""Width and height in pixels."""

_WORDS = [
    "file",
    "edit",
    "view",
    "open",
    "save",
    "close",
    "search",
    "new",
    "settings",
    "profile",
    "inbox",
    "report",
    "total",
    "name",
    "date",
    "status",
    "next",
]
_DARK, _LIGHT = (24, 26, 32), (246, 247, 249)

Colour = tuple[int, int, int]


def draw_noise(number: int) -> Image.Image:
    """Draw noise: fine or coarse, grey or in colour, even or Gaussian, sometimes blurred."""
    rng = np.random.default_rng(number)
    cells = int(rng.choice([SIDE, SIDE // 2, SIDE // 8, SIDE // 24]))
    channels = 3 if rng.random() < 0.6 else 1
    if rng.random() < 0.5:
        values = rng.integers(0, 256, (cells, cells, channels)).astype(np.float64)
    else:
        values = rng.normal(128, rng.uniform(10, 80), (cells, cells, channels)).clip(0, 255)
    image = Image.fromarray(np.broadcast_to(values, (cells, cells, 3)).astype(np.uint8), "RGB")
    image = image.resize((SIDE, SIDE), Image.Resampling.NEAREST if rng.random() < 0.5 else Image.Resampling.BICUBIC)
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 6)))) if rng.random() < 0.3 else image


def draw_drawing(number: int) -> Image.Image:
    """Draw a picture of flat shapes, of outlines, or of scribbled lines."""
    rng = random.Random(number)
    ground = _pick_light(rng) if rng.random() < 0.7 else _pick_colour(rng)
    image = Image.new("RGB", (SIDE, SIDE), ground)
    canvas = ImageDraw.Draw(image)
    style = rng.choice(("flat", "outlined", "scribbled"))
    if style == "scribbled":
        ink = _pick_colour(rng)
        for _ in range(rng.randrange(3, 12)):
            _scribble(canvas, rng, ink)
        return image
    for _ in range(rng.randrange(3, 14)):
        fill = _pick_colour(rng) if style == "flat" else None
        _draw_shape(canvas, rng, fill, _DARK if style == "outlined" else None)
    return image


def draw_screenshot(number: int) -> Image.Image:
    """Draw a window of a program: bars, panels, rows, buttons, and some lettering of an interface."""
    rng = random.Random(number)
    dark = rng.random() < 0.4
    ground, ink = (_DARK, (200, 204, 212)) if dark else (_LIGHT, (50, 54, 62))
    panel = (40, 43, 52) if dark else (255, 255, 255)
    accent = _pick_colour(rng)
    image = Image.new("RGB", (SIDE, SIDE), ground)
    canvas = ImageDraw.Draw(image)
    font = ImageFont.load_default(rng.randrange(9, 14))
    canvas.rectangle((0, 0, SIDE, 24), fill=accent)
    for index in range(rng.randrange(2, 6)):
        canvas.text((8 + 60 * index, 6), rng.choice(_WORDS).title(), fill=_LIGHT, font=font)
    left = rng.choice((0, 70, 110))
    if left:
        canvas.rectangle((0, 24, left, SIDE), fill=panel)
        for row in range(rng.randrange(4, 12)):
            canvas.text((8, 34 + 22 * row), rng.choice(_WORDS), fill=ink, font=font)
    if rng.random() < 0.5:
        _draw_table(canvas, rng, (left + 10, 40, SIDE - 10, SIDE - 50), ink, font)
    else:
        _draw_cards(canvas, rng, (left + 10, 40, SIDE - 10, SIDE - 50), panel, accent)
    for index in range(rng.randrange(1, 3)):
        x = SIDE - 90 * (index + 1)
        canvas.rounded_rectangle((x, SIDE - 36, x + 78, SIDE - 12), radius=4, fill=accent)
        canvas.text((x + 12, SIDE - 30), rng.choice(_WORDS).title(), fill=_LIGHT, font=font)
    return image


PICTURES: Mapping[str, Callable[[int], Image.Image]] = {
    "noise": draw_noise,
    "drawings": draw_drawing,
    "screenshots": draw_screenshot,
}
"""Name of a set → draws its picture of a number."""


def _pick_colour(rng: random.Random) -> Colour:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def _pick_light(rng: random.Random) -> Colour:
    return rng.randrange(215, 256), rng.randrange(215, 256), rng.randrange(215, 256)


def _draw_shape(canvas: ImageDraw.ImageDraw, rng: random.Random, fill: Colour | None, outline: Colour | None) -> None:
    x, y = rng.randrange(SIDE), rng.randrange(SIDE)
    width, height = rng.randrange(20, 180), rng.randrange(20, 180)
    box = (x - width // 2, y - height // 2, x + width // 2, y + height // 2)
    stroke = rng.randrange(2, 6)
    match rng.randrange(4):
        case 0:
            canvas.ellipse(box, fill=fill, outline=outline, width=stroke)
        case 1:
            canvas.rectangle(box, fill=fill, outline=outline, width=stroke)
        case 2:
            corners = [(rng.randrange(box[0], box[2]), rng.randrange(box[1], box[3])) for _ in range(3)]
            canvas.polygon(corners, fill=fill, outline=outline, width=stroke)
        case _:
            canvas.arc(box, rng.randrange(360), rng.randrange(360), fill=fill or outline, width=stroke)


def _scribble(canvas: ImageDraw.ImageDraw, rng: random.Random, ink: Colour) -> None:
    x, y = rng.randrange(SIDE), rng.randrange(SIDE)
    points = [(x, y)]
    for _ in range(rng.randrange(5, 40)):
        x, y = x + rng.randrange(-40, 41), y + rng.randrange(-40, 41)
        points.append((x, y))
    canvas.line(points, fill=ink, width=rng.randrange(1, 5), joint="curve")


def _draw_table(
    canvas: ImageDraw.ImageDraw,
    rng: random.Random,
    box: tuple[int, int, int, int],
    ink: Colour,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    left, top, right, bottom = box
    columns, height = rng.randrange(2, 5), rng.randrange(16, 26)
    for y in range(top, bottom, height):
        canvas.line((left, y, right, y), fill=ink)
        for column in range(columns):
            text = rng.choice(_WORDS) if rng.random() < 0.5 else f"{rng.randrange(10000) / 100}"
            canvas.text((left + 4 + column * (right - left) // columns, y + 3), text, fill=ink, font=font)


def _draw_cards(
    canvas: ImageDraw.ImageDraw, rng: random.Random, box: tuple[int, int, int, int], panel: Colour, accent: Colour
) -> None:
    left, top, right, bottom = box
    rows, columns = rng.randrange(1, 4), rng.randrange(1, 4)
    width, height = (right - left) // columns, (bottom - top) // rows
    for row in range(rows):
        for column in range(columns):
            x, y = left + column * width, top + row * height
            canvas.rounded_rectangle((x, y, x + width - 8, y + height - 8), radius=6, fill=panel, outline=accent)
            for line in range(rng.randrange(1, 4)):
                end = x + 10 + rng.randrange(10, max(11, width - 28))
                canvas.rectangle((x + 10, y + 10 + 12 * line, end, y + 15 + 12 * line), fill=accent)
