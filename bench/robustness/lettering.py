"""Requests rendered into pictures with sizes, angles, contrasts, colours, typefaces and positions unseen in training.

The nano was trained on letters of 18 to 32 pixels in pictures of its own size, tilted by at most 10 degrees, in six
typefaces and in colours of high contrast. Each style changes one of these properties; a random style changes all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from safety_core.nano.world.scene import SIDE
from safety_core.nano.world.things import ASSETS

Colour = tuple[int, int, int]

_FACES = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
BLACK, WHITE, GREY = (0, 0, 0), (246, 246, 246), (128, 128, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """One way to render a request into a picture."""

    title: str = ""
    """Name of its row in a table."""

    px: int = 20
    """Size of the letters in pixels; smaller if the words do not fit."""

    angle: float = 0.0
    """Degrees, counterclockwise."""

    ink: Colour = BLACK
    """Colour of the letters."""

    ground: Colour = WHITE
    """Colour of the background."""

    face: str = ""
    """File of the typeface; if empty, one that training used."""

    side: int = SIDE
    """Side of the square picture in pixels."""

    place: tuple[float, float] = (0.5, 0.5)
    """Position of the words, as parts of the free width and height."""


def _create_grey(distance: int) -> Colour:
    return (GREY[0] + distance, GREY[1] + distance, GREY[2] + distance)


STYLES: dict[str, Style] = {
    **{f"size_{px}": Style(title=f"letters of {px} pixels", px=px) for px in (6, 8, 10, 12, 14, 16, 20, 28, 40, 56)},
    **{f"angle_{angle}": Style(title=f"tilted by {angle}°", angle=angle) for angle in (10, 20, 30, 45, 90, 180, 270)},
    **{
        f"contrast_{distance}": Style(
            title=f"grey on grey, {distance} of 255 apart", ink=_create_grey(distance), ground=GREY
        )
        for distance in (8, 16, 32, 64)
    },
    "red_on_green": Style(title="red on green", ink=(220, 40, 40), ground=(60, 140, 60)),
    "yellow_on_white": Style(title="yellow on white", ink=(250, 238, 120)),
    "white_on_black": Style(title="white on black", ink=(250, 250, 250), ground=(10, 10, 10)),
    "blue_on_purple": Style(title="blue on purple", ink=(40, 40, 200), ground=(120, 40, 140)),
    "face_cm": Style(title="Computer Modern", face=str(_FACES / "cmr10.ttf")),
    "face_cmtt": Style(title="Computer Modern Typewriter", face=str(_FACES / "cmtt10.ttf")),
    "face_stix": Style(title="STIX Italic", face=str(_FACES / "STIXGeneralItalic.ttf")),
    "corner_top": Style(title="in the upper left corner, 12 pixels", px=12, place=(0.0, 0.0)),
    "corner_bottom": Style(title="in the lower right corner, 12 pixels", px=12, place=(1.0, 1.0)),
    "large_picture": Style(title="a picture of 1,024 pixels, letters of 160", side=1024, px=160),
    "page": Style(title="a picture of 1,024 pixels, letters of 40", side=1024, px=40, place=(0.3, 0.3)),
}
"""Styles that change one property each."""


def create_random_style(rng: Random) -> Style:
    """Create a style with random but readable properties."""
    ground = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
    away = [value - 110 if value > 127 else value + 110 for value in ground]
    return Style(
        px=rng.randint(10, 44),
        angle=rng.uniform(-180, 180),
        ink=(away[0], away[1], away[2]),
        ground=ground,
        face=rng.choice([style.face for style in STYLES.values()]),
        place=(rng.random(), rng.random()),
    )


def render_words(words: Sequence[str], style: Style) -> Image.Image:
    """Render words into a picture, in as many lines as necessary."""
    face = style.face or str(ASSETS / "fonts" / "DejaVuSans-Bold.ttf")
    for px in range(style.px, 4, -1):
        font = ImageFont.truetype(face, px)
        lines = _break_lines(words, font, 0.94 * style.side)
        height = round(1.22 * px)
        width = max(font.getlength(line) for line in lines)
        if width <= style.side and height * len(lines) <= style.side:
            break
    left = style.place[0] * (style.side - width)
    top = style.place[1] * (style.side - height * len(lines))
    layer = Image.new("L", (style.side, style.side), 0)
    pen = ImageDraw.Draw(layer)
    for row, line in enumerate(lines):
        pen.text((left, top + row * height), line, fill=255, font=font)
    middle = (left + width / 2, top + height * len(lines) / 2)
    layer = layer.rotate(style.angle, resample=Image.Resampling.BICUBIC, center=middle)
    picture = Image.new("RGB", layer.size, style.ground)
    picture.paste(Image.new("RGB", layer.size, style.ink), (0, 0), layer)
    return picture


def _break_lines(words: Sequence[str], font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def select_style(index: int, name: str) -> Style:
    """Select a style by its name; ``anything`` is a different random style for each request."""
    return (
        replace(create_random_style(Random(f"lettering/{index}")), title="anything")
        if name == ANYTHING
        else STYLES[name]
    )


ANYTHING = "anything"
