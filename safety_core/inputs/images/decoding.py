"""The one door for untrusted pictures: bytes in, square RGB views out, or a typed refusal.

What a view is, is decided here and nowhere else, so the guard and the LLM see the same pixels: orientation applied,
colours in sRGB, transparency composited, aspect ratio kept by padding (as LLaVA-1.5 did, so that the processor's
centre crop cuts nothing off). Every limit is checked as early as the file format allows: bytes before parsing, pixels
from the header before decoding.

This module knows Pillow and nothing of models, tensors or HTTP.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageChops, ImageCms
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from safety_core.errors import EngineError, ImageError
from safety_core.inputs.images.picture_file import (
    Kind,
    PictureFile,
    check_png_pixels,
    png_key,
    read_picture_file,
    refusal,
)

Colour = tuple[int, int, int]

CLIP_MEAN: Colour = (122, 116, 104)
"""CLIP's mean colour in 0..255, with which LLaVA-1.5 pads."""

_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)


_OPENERS: dict[Kind, Callable[[BytesIO], ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "WEBP": WebPImageFile,
}
"""The plugin classes instead of ``Image.open``: no other format can slip in, a phone's multi-picture JPEG is read as
the one picture that every viewer shows, and Pillow's process-wide bomb limit does not warn before our limit applies."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what undoes it; 1 and every unknown value stand for "as stored"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """Bounds on one untrusted picture."""

    max_bytes: int = 10 * 1024 * 1024
    """Bytes of the encoded file."""

    max_pixels: int = 25_000_000
    """Width × height as the header declares them; decoding needs up to 4 bytes for each."""

    max_aspect: float = 20.0
    """Longer side over shorter side; beyond it, padding would leave the model next to nothing of the picture."""

    max_side: int = 1344
    """Longest side of a view in pixels (four times CLIP's 336; a server sets the size of its image processor's
    output). Larger pictures are reduced with an antialiasing filter, so a view takes at most 4·max_side² bytes
    whatever the picture's shape."""

    min_side: int = 32
    """Longest side of a view, at least. Smaller pictures are enlarged: processors cannot tell the axes of a picture
    of one or three pixels apart."""

    max_scans: int = 64
    """Scans of a progressive JPEG (encoders write about ten). Each costs a pass over all pixels."""

    max_segments: int = 4096
    """Segments of a JPEG (cameras write tens, or hundreds with long metadata), chunks of a PNG or WebP. An empty one
    has four bytes, or twelve, and costs a reader in Python a thousand times as much. A GIF may have as many blocks, and
    one more for every hundred of its bytes (encoders fill each with 255)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """A picture as the model may see it."""

    views: tuple[Image.Image, ...]
    """Square RGB pictures. One, or two (on black, on white) where transparency makes two pictures possible; the guard
    scores all of them and the LLM gets the one that scored worst."""

    sha256: str
    """Hex digest of the encoded bytes."""

    width: int
    """Pixels across, after orientation, before any scaling."""

    height: int
    """Pixels down, after orientation, before any scaling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """A picture whose file passed all checks before decoding, and is within bounds."""

    file: PictureFile
    """What decides its pixels."""

    sha256: str
    """Hex digest of the encoded bytes as received."""

    scale: int
    """1, 2, 4 or 8: factor by which a JPEG is scaled down while it is decoded."""

    @property
    def cost(self) -> int:
        """Cost of decoding, in pixels of a JPEG that is decoded at full size and then reduced (20 ns each on a common
        CPU).

        A JPEG that is scaled down while it is decoded costs about a quarter, plus a share for every further pass over
        its samples; other formats have no such option and cost every pixel, whatever their final size.
        """
        file, pixels = self.file, self.file.width * self.file.height
        size = len(file.data)
        match file.kind:
            case "JPEG":
                passes = max(0.0, file.passes - file.samples) + (file.samples if file.buffered else 0.0)
                # Nobody codes a scan's pixels in nothing: a file that is short has few of them to read.
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
            kept = 2 * file.samples * pixels if file.buffered else 0
            return round(kept + 8 * pixels / self.scale**2)
        return (16 if file.kind == "WEBP" else 12) * pixels


def decode(data: bytes, *, limits: ImageLimits | None = None, fill: Colour = CLIP_MEAN) -> DecodedImage:
    """Decode one untrusted picture: :func:`inspect`, then :func:`decode_inspected`.

    Args:
        data: an encoded JPEG, PNG, WebP or one-frame GIF.
        limits: bounds; the defaults of :class:`ImageLimits` when None.
        fill: padding colour, the image processor's mean in 0..255.

    Raises:
        ImageError: code ``image_empty``, ``image_format``, ``image_corrupt``, ``image_too_large``, ``image_animated``
            or ``image_aspect``. The message never quotes the file.
        MemoryError: there was not enough memory.
    """
    return decode_inspected(inspect(data, limits=limits), limits=limits, fill=fill)


def inspect(data: bytes, *, limits: ImageLimits | None = None) -> Inspected:
    """Check one untrusted picture by its file's structure and header; takes milliseconds, whatever it contains.

    Raises:
        ImageError: as :func:`decode`.
        MemoryError: there was not enough memory.
    """
    limits = ImageLimits() if limits is None else limits
    if not data:
        raise refusal("image_empty", "The image is empty.")
    if len(data) > limits.max_bytes:
        raise refusal("image_too_large", f"The image is larger than {limits.max_bytes} bytes.")
    try:
        file = read_picture_file(data, max_segments=limits.max_segments, max_scans=limits.max_scans)
    except (ImageError, MemoryError):
        raise
    except Exception as exc:  # what a reader by hand overlooked is damage too
        raise refusal("image_corrupt", _DAMAGED) from exc
    _check_header(file, limits)
    return Inspected(file=file, sha256=hashlib.sha256(data).hexdigest(), scale=_draft_scale(file, limits))


def decode_inspected(
    picture: Inspected,
    *,
    limits: ImageLimits | None = None,
    fill: Colour = CLIP_MEAN,
    check: Callable[[], None] = lambda: None,
) -> DecodedImage:
    """Decode a picture that passed :func:`inspect` with the same limits.

    Args:
        picture: the picture.
        limits: bounds; the defaults of :class:`ImageLimits` when None.
        fill: padding colour, the image processor's mean in 0..255.
        check: called between stages; raises an EngineError if the result is no longer needed.

    Raises:
        ImageError: as :func:`decode`.
        EngineError: as ``check`` does.
        MemoryError: there was not enough memory.
    """
    limits = ImageLimits() if limits is None else limits
    try:
        return _decode(picture, limits, fill, check)
    except (ImageError, EngineError, MemoryError):
        raise
    except Exception as exc:  # Pillow raises OSError, SyntaxError, ValueError, TypeError, struct.error and others
        # Some decoders say nothing of memory when they get none. This is given back at once, and never touched.
        bytearray(picture.working_bytes)
        raise refusal("image_corrupt", _DAMAGED) from exc


def pad_to_square(image: Image.Image, fill: Colour = CLIP_MEAN) -> Image.Image:
    """Centre an RGB picture on a square of its longer side, as LLaVA-1.5 did in training; a square one as it is."""
    side = max(image.size)
    if image.width == image.height:
        return image
    square = Image.new("RGB", (side, side), fill)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


_DAMAGED = "The image cannot be decoded: it is damaged or cut short."

_DRAFT_MARGIN = 2
"""A JPEG is scaled down while it is decoded to no less than this multiple of the required side; a filter does the rest.
The result is close to that of decoding at full size."""


def _decode(picture: Inspected, limits: ImageLimits, fill: Colour, check: Callable[[], None]) -> DecodedImage:
    source = picture.file
    check()
    if source.kind == "PNG":
        check_png_pixels(source, check)
    turn = _TURNS.get(source.orientation)
    size = (source.width, source.height)
    with _OPENERS[source.kind](BytesIO(source.data)) as file:
        if file.size != size:
            raise refusal("image_corrupt", "The image's size differs from the size in its header.")
        if isinstance(file, JpegImageFile) and picture.scale > 1:
            file.draft(None, (max(1, size[0] // picture.scale), max(1, size[1] // picture.scale)))
        file.load()
        check()
        if source.kind == "PNG" and "transparency" in file.info:
            file.info["transparency"] = png_key(source.data, file.mode, file.info["transparency"])
        image = _resizable(file)
        check()
        image = _scaled(image, size, picture.scale, limits)
        check()
        alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
        colour = _in_srgb(image.convert(image.mode.removesuffix("A")), source.profile)
    views: tuple[Image.Image, ...] = (colour,)
    if alpha is not None and alpha.getextrema() != (255, 255):
        views = tuple(
            Image.composite(colour, Image.new("RGB", colour.size, background), alpha) for background in (_BLACK, _WHITE)
        )
    # Turned when it is small: turning and filtering may change places.
    upright = [view if turn is None else view.transpose(turn) for view in views]
    width, height = size if source.orientation < 5 or turn is None else size[::-1]
    return DecodedImage(
        views=tuple(pad_to_square(view, fill) for view in upright), sha256=picture.sha256, width=width, height=height
    )


def _check_header(file: PictureFile, limits: ImageLimits) -> None:
    """Judge what the header declares; nothing is decoded yet."""
    width, height = file.width, file.height
    if not (width and height):
        raise refusal("image_corrupt", _DAMAGED)
    if width * height > limits.max_pixels:
        raise refusal("image_too_large", f"The image has more than {limits.max_pixels} pixels.")
    if max(width, height) > limits.max_aspect * min(width, height):
        raise refusal("image_aspect", f"The image is longer than {limits.max_aspect:g} times its width.")
    if file.animated:
        raise refusal("image_animated", "The image has more than one frame.")


def _target_side(longest: int, limits: ImageLimits) -> int:
    """Longest side of a view of a picture."""
    return min(max(longest, limits.min_side), limits.max_side)


def _draft_scale(file: PictureFile, limits: ImageLimits) -> int:
    """Factor by which a picture may be scaled down while it is decoded: 1, or for a JPEG up to 8."""
    if file.kind != "JPEG":
        return 1
    longest = max(file.width, file.height)
    wanted = _DRAFT_MARGIN * _target_side(longest, limits)
    return next((scale for scale in (8, 4, 2) if longest // scale >= wanted), 1)


def _resizable(image: Image.Image) -> Image.Image:
    """The same picture as 8-bit L, LA, RGB, RGBA or CMYK: the modes that can be filtered without artefacts."""
    if image.mode.startswith("I;16"):
        return _from_16_bit(image)
    if image.has_transparency_data:
        return image.convert("LA" if image.mode in ("1", "L", "LA") else "RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    """16-bit grey to 8 bits by its upper byte (Pillow's own conversion clips everything above 255 to white)."""
    little_endian = image.tobytes("raw", "I;16")
    high = Image.frombytes("L", image.size, little_endian[1::2])
    clear = image.info.get("transparency")
    if clear is None:
        return high
    low = Image.frombytes("L", image.size, little_endian[0::2])
    alpha = ImageChops.lighter(low.point(_differs(clear & 255)), high.point(_differs(clear >> 8)))
    return Image.merge("LA", (high, alpha))


def _differs(value: int) -> list[int]:
    """A look-up table that is 0 at ``value`` and 255 elsewhere."""
    return [0 if entry == value else 255 for entry in range(256)]


def _scaled(image: Image.Image, whole: tuple[int, int], scale: int, limits: ImageLimits) -> Image.Image:
    """Bring the longest side within bounds; bicubic with antialiasing, transparent pixels premultiplied by Pillow.

    Args:
        image: the picture, which may have been scaled down already.
        whole: its size before.
        scale: factor by which it was scaled down; its last row and column may represent less than a pixel.
        limits: the bounds.
    """
    longest = max(whole)
    target = _target_side(longest, limits)
    if target == longest:
        return image
    size = tuple(max(1, round(side * target / longest)) for side in whole)
    box = (0.0, 0.0, whole[0] / scale, whole[1] / scale)
    return image.resize((size[0], size[1]), Image.Resampling.BICUBIC, box)


def _in_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Convert L, RGB or CMYK to RGB through the embedded colour profile, if there is a usable one."""
    if isinstance(profile, bytes) and profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            # A broken or mismatched profile is common and harmless: browsers ignore it, and so do we.
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")
