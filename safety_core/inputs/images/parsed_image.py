"""The part of an image file that decides its pixels, as the parsers of each format return it.

A file may have millions of parts that a parser in Python goes through one by one, fill bytes that it skips one by one,
metadata that unpacks to gigabytes, and duplicate parts, of which one program uses the first and another the last. So
every loop of a parser is bounded, ambiguous files are rejected, and the result is a new file that contains only the
parts that decide pixels: texts, times, previews, comments and private parts never reach a decoder, whatever they
contain. Of EXIF only the orientation is read.
"""

from dataclasses import dataclass
from typing import Literal

from safety_core.errors import ImageError

ImageFormat = Literal["JPEG", "PNG", "GIF", "WEBP"]

MAX_JUNK_BYTES = 4096
"""Stray bytes between the parts of a file; some cameras and old programs leave a few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedImage:
    """An image file, reduced to the parts that decide its pixels."""

    kind: ImageFormat
    """Format."""

    data: bytes
    """A file of this format without any metadata."""

    width: int
    """Width in pixels, as stored."""

    height: int
    """Height in pixels, as stored."""

    animated: bool = False
    """Whether the file has more than one frame."""

    channels: int = 3
    """Samples of a decoded pixel, 1 to 4."""

    passes: float = 1.0
    """Samples read by all scans of a JPEG, for each pixel; 1 for other formats."""

    buffered: bool = False
    """Whether a JPEG's coefficients are kept in memory until the last scan, two bytes each."""

    samples: float = 0.0
    """Samples of a JPEG for each of its pixels."""

    unpacked: int = 0
    """Size in bytes of a PNG's unpacked pixels."""

    orientation: int = 1
    """EXIF orientation, 1 to 8; 1 if there is none."""

    profile: bytes | None = None
    """ICC colour profile, reduced to the tags that decide colours; may still be broken."""


def image_error(code: str, message: str) -> ImageError:
    """Create the error for an image; messages never quote the file."""
    return ImageError(message, code=code, param="image")


def create_corrupt_error(message: str) -> ImageError:
    """Create the error for a file whose structure is wrong or suspicious."""
    return image_error("image_corrupt", message)


def create_damage_error() -> ImageError:
    """Create the error for a file that no decoder can read to its end."""
    return create_corrupt_error("The image cannot be decoded: it is damaged or cut short.")
