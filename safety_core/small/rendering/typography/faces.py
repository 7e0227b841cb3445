"""The typefaces of rendered lettering: where each comes from, its licence, and which are reserved for tests.

Knows no layout. The fonts are files of packages that the extra ``small-build`` installs; a few ship with the nano or
with Pillow.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Literal

from PIL import ImageFont

from safety_core.errors import ConfigError

Style = Literal["sans", "serif", "slab", "condensed", "rounded", "mono", "hand", "script", "display"]

EXTRA = "small-build"
"""The extra of this project that installs the packages."""

CAP_HEIGHT = 11
"""Smallest height of a capital letter in pixels."""

_NANO = "safety_core.nano"
_PILLOW = "pillow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One typeface."""

    name: str

    style: Style

    package: str
    """Distribution that holds the file; ``pillow`` for the font that is part of Pillow."""

    file: str
    """Name of the file in the package; empty for Pillow's."""

    licence: str
    """SPDX identifier."""

    weights: tuple[int, ...] = (400,)
    """Weights to choose from; more than one only where the file is variable."""

    test: bool = False
    """Whether only pictures of the test split use the face."""

    capitals: bool = False
    """Whether its small letters look like capitals."""


def _describe_face(name: str, style: Style, file: str, *weights: int, **more: bool) -> Face:
    """Describe a face of a package ``fontpkg-NAME``."""
    package = "fontpkg-" + name.lower().replace(" ", "-")
    licence = "Apache-2.0" if name in {"Luckiest Guy", "Permanent Marker", "Satisfy"} else "OFL-1.1"
    return Face(name=name, style=style, package=package, file=file, licence=licence, weights=weights or (400,), **more)


def _describe_nano_face(name: str, style: Style, file: str) -> Face:
    """Describe a face that ships with the nano; its files hold printable ASCII only."""
    return Face(name=name, style=style, package=_NANO, file=file, licence="Bitstream-Vera")


FACES: tuple[Face, ...] = (
    _describe_face("Roboto", "sans", "Roboto[wdth,wght].ttf", 400, 500, 700),
    _describe_face("Open Sans", "sans", "OpenSans[wdth,wght].ttf", 400, 600, 800),
    _describe_face("Montserrat", "sans", "Montserrat[wght].ttf", 500, 700, 900),
    _describe_nano_face("DejaVu Sans", "sans", "DejaVuSans.ttf"),
    _describe_nano_face("DejaVu Sans Bold", "sans", "DejaVuSans-Bold.ttf"),
    Face(name="Aileron", style="sans", package=_PILLOW, file="", licence="CC0-1.0"),
    _describe_face("Inter", "sans", "Inter[opsz,wght].ttf", 400, 600, 800, test=True),
    _describe_face("PT Serif", "serif", "PT_Serif-Web-Regular.ttf"),
    _describe_face("Playfair Display", "serif", "PlayfairDisplay[wght].ttf", 500, 700, 900),
    _describe_face("Libre Baskerville", "serif", "LibreBaskerville[wght].ttf", 400, 700),
    _describe_nano_face("DejaVu Serif", "serif", "DejaVuSerif.ttf"),
    _describe_face("Source Serif 4", "serif", "SourceSerif4[opsz,wght].ttf", 400, 600, 800, test=True),
    _describe_face("Arvo", "slab", "Arvo-Bold.ttf"),
    _describe_face("Alfa Slab One", "slab", "AlfaSlabOne-Regular.ttf"),
    _describe_face("Bitter", "slab", "Bitter[wght].ttf", 500, 700, 900, test=True),
    _describe_face("Oswald", "condensed", "Oswald[wght].ttf", 400, 500, 700),
    _describe_face("Roboto Condensed", "condensed", "RobotoCondensed[wght].ttf", 400, 600, 800),
    _describe_nano_face("DejaVu Sans Condensed Bold", "condensed", "DejaVuSansCondensed-Bold.ttf"),
    _describe_face("Archivo Narrow", "condensed", "ArchivoNarrow[wght].ttf", 400, 600, 700, test=True),
    _describe_face("Varela Round", "rounded", "VarelaRound-Regular.ttf"),
    _describe_face("Fredoka", "rounded", "Fredoka[wdth,wght].ttf", 400, 600),
    _describe_face("Nunito", "rounded", "Nunito[wght].ttf", 500, 700, 900, test=True),
    _describe_face("DM Mono", "mono", "DMMono-Regular.ttf"),
    _describe_nano_face("DejaVu Sans Mono Bold", "mono", "DejaVuSansMono-Bold.ttf"),
    _describe_face("Fira Code", "mono", "FiraCode[wght].ttf", 400, 600, test=True),
    _describe_face("Caveat", "hand", "Caveat[wght].ttf", 500, 700),
    _describe_face("Indie Flower", "hand", "IndieFlower-Regular.ttf"),
    _describe_face("Kalam", "hand", "Kalam-Regular.ttf"),
    _describe_face("Permanent Marker", "hand", "PermanentMarker-Regular.ttf", capitals=True),
    _describe_face("Shadows Into Light", "hand", "ShadowsIntoLight.ttf", test=True),
    _describe_face("Dancing Script", "script", "DancingScript[wght].ttf", 500, 700),
    _describe_face("Lobster", "script", "Lobster-Regular.ttf"),
    _describe_face("Satisfy", "script", "Satisfy-Regular.ttf", test=True),
    _describe_face("Anton", "display", "Anton-Regular.ttf"),
    _describe_face("Luckiest Guy", "display", "LuckiestGuy-Regular.ttf", capitals=True),
    _describe_face("Abril Fatface", "display", "AbrilFatface-Regular.ttf"),
    _describe_face("Bebas Neue", "display", "BebasNeue-Regular.ttf", capitals=True, test=True),
)


def list_faces(*, test: bool) -> tuple[Face, ...]:
    """List the faces of test pictures, or of all others."""
    return tuple(face for face in FACES if face.test == test)


def pick_face(rng: Random, styles: Iterable[Style], *, test: bool) -> Face:
    """Pick a face of one of the styles, each style being as likely as the others."""
    style = rng.choice(tuple(styles))
    return rng.choice([face for face in list_faces(test=test) if face.style == style])


def find_font_file(face: Face) -> Path:
    """Find the file of a face.

    Raises:
        ConfigError: its package is not installed.
    """
    if face.package == _NANO:
        package, folder = _NANO, "assets/fonts"
    else:
        package, folder = face.package.replace("-", "_"), "files"
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ConfigError(
            f"the typeface {face.name!r} needs the package {face.package}: pip install 'safevlm-guard[{EXTRA}]'"
        )
    return Path(spec.origin).parent / folder / face.file


@lru_cache(maxsize=2048)
def load_font(face: Face, px: int, weight: int) -> ImageFont.FreeTypeFont:
    """Load a face at ``px`` pixels per em.

    Lines are laid out without shaping, so that machines with and without libraqm draw the same picture.

    Raises:
        ConfigError: its package is not installed.
    """
    if face.package == _PILLOW:
        font = ImageFont.load_default(px)
        assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
        return font.font_variant(layout_engine=ImageFont.Layout.BASIC)
    font = ImageFont.truetype(str(find_font_file(face)), px, layout_engine=ImageFont.Layout.BASIC)
    if len(face.weights) > 1:
        axes = font.get_variation_axes()
        font.set_variation_by_axes([_choose_axis_value(dict(axis), weight) for axis in axes])
    return font


def _choose_axis_value(axis: dict[str, object], weight: int) -> float:
    """Value of one axis of a variable font: the weight, or the default of any other axis."""
    raw = axis["name"]
    name = raw.decode() if isinstance(raw, bytes) else str(raw)
    low, high, default = (float(str(axis[key])) for key in ("minimum", "maximum", "default"))
    return min(max(weight, low), high) if name.lower() == "weight" else default


@cache
def measure_capitals(face: Face) -> float:
    """Height of a capital letter as a share of the size.

    Hand-written and script faces have small letters far smaller than their capitals: theirs count for less.
    """
    font = load_font(face, 200, face.weights[0])
    _, top, _, bottom = font.getbbox("H")
    _, small_top, _, small_bottom = font.getbbox("x")
    return min(bottom - top, 1.45 * (small_bottom - small_top)) / 200


def find_smallest_px(face: Face, cap_height: float = CAP_HEIGHT) -> int:
    """Smallest size in pixels per em at which a capital letter is ``cap_height`` pixels high."""
    return math.ceil(cap_height / measure_capitals(face))


@lru_cache(maxsize=65_536)
def has_glyph(face: Face, character: str) -> bool:
    """Whether a face can draw a character."""
    if "!" <= character <= "~" or character == " ":
        return True
    font = load_font(face, 32, face.weights[0])
    return bytes(font.getmask(character)) != bytes(font.getmask("\U0010fffe"))


def format_faces() -> str:
    """Format the table of faces for the docs, as GitHub-flavoured Markdown."""
    lines = ["| face | style | package | licence | split |", "| --- | --- | --- | --- | --- |"]
    for face in FACES:
        split = "test" if face.test else "all others"
        lines.append(f"| {face.name} | {face.style} | {face.package} | {face.licence} | {split} |")
    return "\n".join(lines) + "\n"
