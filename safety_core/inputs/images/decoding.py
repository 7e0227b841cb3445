"""Decodes untrusted images: bytes to square RGB views, or a typed error.

All code that decodes an image calls this module, so the guard and the LLM see the same pixels: orientation applied,
colours in sRGB, transparency composited, aspect ratio kept by padding (as LLaVA-1.5 did, so that the processor's
centre crop removes nothing). ``inspection`` checks the file first. Knows Pillow, but no models, tensors or HTTP.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import Image
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from safety_core.errors import EngineError, ImageError
from safety_core.inputs.images.inspection import InspectedImage, inspect_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.inputs.images.parsed_image import ImageFormat, create_damage_error, image_error
from safety_core.inputs.images.png import scale_png_key, verify_png_pixels
from safety_core.inputs.images.views import (
    CLIP_MEAN,
    Colour,
    convert_to_resizable,
    convert_to_srgb,
    pad_to_square,
    resize_to_limits,
)

_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)


_OPENERS: dict[ImageFormat, Callable[[BytesIO], ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "WEBP": WebPImageFile,
}
"""The plugin classes are used instead of ``Image.open``: no other format is accepted, a phone's multi-image JPEG is
read as the image that every viewer shows, and Pillow's process-wide bomb limit does not warn before our limit applies.
"""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → the transposition that undoes it; 1 and every unknown value mean "as stored"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """An image as the model may see it."""

    views: tuple[Image.Image, ...]
    """Square RGB images. One, or two (on black and on white) if the image is transparent; the guard scores both, and
    the LLM gets the view with the worse score."""

    sha256: str
    """Hex digest of the encoded bytes."""

    width: int
    """Width in pixels, after orientation, before any scaling."""

    height: int
    """Height in pixels, after orientation, before any scaling."""


def decode_image(data: bytes, *, limits: ImageLimits | None = None, fill: Colour = CLIP_MEAN) -> DecodedImage:
    """Decode one untrusted image: :func:`inspect_image`, then :func:`decode_inspected`.

    Args:
        data: an encoded JPEG, PNG, WebP or one-frame GIF.
        limits: bounds; the defaults of :class:`ImageLimits` when None.
        fill: padding colour, the image processor's mean in 0..255.

    Raises:
        ImageError: code ``image_empty``, ``image_format``, ``image_corrupt``, ``image_too_large``, ``image_animated``
            or ``image_aspect``. The message never quotes the file.
        MemoryError: there was not enough memory.
    """
    return decode_inspected(inspect_image(data, limits=limits), limits=limits, fill=fill)


def decode_inspected(
    inspected: InspectedImage,
    *,
    limits: ImageLimits | None = None,
    fill: Colour = CLIP_MEAN,
    check: Callable[[], None] = lambda: None,
) -> DecodedImage:
    """Decode an image that passed :func:`inspect_image` with the same limits.

    Args:
        inspected: the image.
        limits: bounds; the defaults of :class:`ImageLimits` when None.
        fill: padding colour, the image processor's mean in 0..255.
        check: called between stages; raises an EngineError if the result is no longer needed.

    Raises:
        ImageError: as :func:`decode_image`.
        EngineError: as ``check`` does.
        MemoryError: there was not enough memory.
    """
    limits = ImageLimits() if limits is None else limits
    try:
        return _decode(inspected, limits, fill, check)
    except (ImageError, EngineError, MemoryError):
        raise
    except Exception as exc:  # Pillow raises OSError, SyntaxError, ValueError, TypeError, struct.error and others
        # Some decoders do not report that memory ran out; this allocation, freed at once, then raises MemoryError.
        bytearray(inspected.working_bytes)
        raise create_damage_error() from exc


def _decode(inspected: InspectedImage, limits: ImageLimits, fill: Colour, check: Callable[[], None]) -> DecodedImage:
    source = inspected.file
    check()
    if source.kind == "PNG":
        verify_png_pixels(source, check)
    turn = _TURNS.get(source.orientation)
    size = (source.width, source.height)
    with _OPENERS[source.kind](BytesIO(source.data)) as file:
        if file.size != size:
            raise image_error("image_corrupt", "The image's size differs from the size in its header.")
        if isinstance(file, JpegImageFile) and inspected.scale > 1:
            file.draft(None, (max(1, size[0] // inspected.scale), max(1, size[1] // inspected.scale)))
        file.load()
        check()
        if source.kind == "PNG" and "transparency" in file.info:
            file.info["transparency"] = scale_png_key(source.data, file.mode, file.info["transparency"])
        image = convert_to_resizable(file)
        check()
        image = resize_to_limits(image, size, inspected.scale, limits)
        check()
        alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
        colour = convert_to_srgb(image.convert(image.mode.removesuffix("A")), source.profile)
    views: tuple[Image.Image, ...] = (colour,)
    if alpha is not None and alpha.getextrema() != (255, 255):
        views = tuple(
            Image.composite(colour, Image.new("RGB", colour.size, background), alpha) for background in (_BLACK, _WHITE)
        )
    # Transposed after resizing, when the image is small; the order does not change the result.
    upright = [view if turn is None else view.transpose(turn) for view in views]
    width, height = size if source.orientation < 5 or turn is None else size[::-1]
    return DecodedImage(
        views=tuple(pad_to_square(view, fill) for view in upright), sha256=inspected.sha256, width=width, height=height
    )
