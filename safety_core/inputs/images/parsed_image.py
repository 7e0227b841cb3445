"""The part of an image file that determines its pixels: the result of each format's parser.

A hostile file may contain millions of tiny parts or fill bytes, metadata that unpacks to gigabytes, or duplicate parts,
of which one program uses the first and another program the last. Every loop of a parser is therefore bounded, ambiguous
files are rejected, and the result is a new file with only the parts that determine pixels: texts, times, previews,
comments and private parts never reach a decoder. Only the orientation is read from EXIF.
"""

from dataclasses import dataclass
from typing import Literal

from safety_core.errors import ImageError

ImageFormat = Literal["JPEG", "PNG", "GIF", "WEBP"]

MAX_JUNK_BYTES = 4096
"""Maximum stray bytes between the parts of a file; some cameras and old programs write a few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedImage:
    """An image file, reduced to the parts that determine its pixels."""

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
    """Samples per decoded pixel, 1 to 4."""

    passes: float = 1.0
    """Samples per pixel that all scans of a JPEG read together; 1 for other formats."""

    buffered: bool = False
    """Whether a JPEG's coefficients are kept in memory until the last scan, two bytes each."""

    samples: float = 0.0
    """Samples per pixel of a JPEG."""

    unpacked: int = 0
    """Size in bytes of a PNG's unpacked pixels."""

    orientation: int = 1
    """EXIF orientation, 1 to 8; 1 if there is none."""

    profile: bytes | None = None
    """ICC colour profile, reduced to the tags that define colours; may still be broken."""


def image_error(code: str, message: str) -> ImageError:
    """Create the error for an image; messages never quote the file."""
    return ImageError(message, code=code, param="image")


def create_corrupt_error(message: str) -> ImageError:
    """Create the error for a file whose structure is wrong or suspicious."""
    return image_error("image_corrupt", message)


def create_damage_error() -> ImageError:
    """Create the error for a file that no decoder can read to its end."""
    return create_corrupt_error("The image cannot be decoded: it is damaged or truncated.")
