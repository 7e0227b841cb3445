"""Checks untrusted image files by their structure and header before they are decoded, and estimates decoding costs.

Every limit is checked as early as the file format allows: bytes before parsing, pixels from the header before decoding.
Knows no pixels: ``decoding`` decodes what passed.
"""

import hashlib
from dataclasses import dataclass

from safety_core.errors import ImageError
from safety_core.inputs.images.gif import parse_gif
from safety_core.inputs.images.jpeg import parse_jpeg
from safety_core.inputs.images.limits import ImageLimits
from safety_core.inputs.images.parsed_image import ParsedImage, create_damage_error, image_error
from safety_core.inputs.images.png import PNG_SIGNATURE, parse_png
from safety_core.inputs.images.webp import parse_webp

_DRAFT_MARGIN = 2
"""The decoder scales a JPEG down to no less than this multiple of the required side, and a filter scales it further.
The result is close to that of decoding at full size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedImage:
    """An image whose file passed all checks before decoding, and is within all limits."""

    file: ParsedImage
    """The parts of the file that determine the pixels."""

    sha256: str
    """Hex digest of the encoded bytes as received."""

    scale: int
    """1, 2, 4 or 8: factor by which a JPEG is scaled down while it is decoded."""

    @property
    def cost(self) -> int:
        """Cost of decoding, in pixels of a JPEG that is decoded at full size (20 ns each on a common CPU).

        A JPEG that the decoder scales down costs about a quarter, plus a share for every further pass over its samples.
        Other formats cost every pixel, regardless of their final size.
        """
        file, pixels = self.file, self.file.width * self.file.height
        size = len(file.data)
        match file.kind:
            case "JPEG":
                passes = max(0.0, file.passes - file.samples) + (file.samples if file.buffered else 0.0)
                # Every coded pixel needs some bytes, so a short file has few of them.
                return round(pixels * (0.2 + 0.8 / self.scale**2 + 0.055 * passes) + 0.6 * size)
            case "PNG":
                return round(pixels * (0.5 + 0.56 * file.channels) + 0.6 * size)
            case "WEBP":
                return round(pixels * (2.25 if file.channels == 4 else 1.75) + 1.5 * size)
            case "GIF":
                return round(pixels * (1.5 if file.channels == 4 else 1.0) + 0.5 * size)

    @property
    def working_bytes(self) -> int:
        """Peak memory of decoding in bytes, without the file."""
        file, pixels = self.file, self.file.width * self.file.height
        if file.kind == "JPEG":
            coefficients = 2 * file.samples * pixels if file.buffered else 0
            return round(coefficients + 8 * pixels / self.scale**2)
        return (16 if file.kind == "WEBP" else 12) * pixels


def inspect_image(data: bytes, *, limits: ImageLimits | None = None) -> InspectedImage:
    """Check one untrusted image by its structure and header; takes milliseconds, whatever the file contains.

    Raises:
        ImageError: as :func:`.decoding.decode_image`.
        MemoryError: there was not enough memory.
    """
    limits = ImageLimits() if limits is None else limits
    if not data:
        raise image_error("image_empty", "The image is empty.")
    if len(data) > limits.max_bytes:
        raise image_error("image_too_large", f"The image is larger than {limits.max_bytes} bytes.")
    try:
        file = parse_image(data, max_segments=limits.max_segments, max_scans=limits.max_scans)
    except (ImageError, MemoryError):
        raise
    except Exception as exc:  # any error of a parser means a damaged file
        raise create_damage_error() from exc
    _check_header(file, limits)
    return InspectedImage(file=file, sha256=hashlib.sha256(data).hexdigest(), scale=_choose_draft_scale(file, limits))


def parse_image(data: bytes, *, max_segments: int, max_scans: int) -> ParsedImage:
    """Check the structure of a file and keep the parts that determine its pixels, without decoding.

    Args:
        data: a JPEG, PNG, GIF or WebP file, recognised by its first bytes.
        max_segments: maximum segments of a JPEG, and chunks of a PNG or WebP; a GIF may have as many blocks, and one
            more per hundred bytes.
        max_scans: maximum scans of a JPEG.

    Raises:
        ImageError: ``image_format`` or ``image_corrupt``.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return parse_jpeg(data, max_segments=max_segments, max_scans=max_scans)
    if data.startswith(PNG_SIGNATURE):
        return parse_png(data, max_chunks=max_segments)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return parse_gif(data, max_blocks=max_segments + len(data) // 100)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return parse_webp(data, max_chunks=max_segments)
    raise image_error("image_format", "Only JPEG, PNG, WebP and GIF images are accepted.")


def _check_header(file: ParsedImage, limits: ImageLimits) -> None:
    """Reject an image whose header declares too many pixels, an extreme aspect ratio or several frames."""
    width, height = file.width, file.height
    if not (width and height):
        raise create_damage_error()
    if width * height > limits.max_pixels:
        raise image_error("image_too_large", f"The image has more than {limits.max_pixels} pixels.")
    if max(width, height) > limits.max_aspect * min(width, height):
        raise image_error("image_aspect", f"The image is longer than {limits.max_aspect:g} times its width.")
    if file.animated:
        raise image_error("image_animated", "The image has more than one frame.")


def _choose_draft_scale(file: ParsedImage, limits: ImageLimits) -> int:
    """Choose the factor by which the decoder scales an image down: up to 8 for a JPEG, otherwise 1."""
    if file.kind != "JPEG":
        return 1
    longest = max(file.width, file.height)
    least_side = _DRAFT_MARGIN * limits.clamp_side(longest)
    return next((scale for scale in (8, 4, 2) if longest // scale >= least_side), 1)
