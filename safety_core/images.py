"""The one door for untrusted pictures: bytes in, square RGB views out, or a typed refusal.

What a view is, is decided here and nowhere else, so the guard and the LLM see the same pixels: orientation applied,
colours in sRGB, transparency composited, aspect ratio kept by padding (as LLaVA-1.5 did, so that the processor's
centre crop cuts nothing off). Every limit is checked as early as the file format allows: bytes before parsing, pixels
from the header before decoding.

This module knows Pillow and nothing of models, tensors or HTTP.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO

from PIL import Image, ImageChops, ImageCms
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from safety_core.errors import ImageError
from safety_core.image_files import check_jpeg, check_png, orientation, png_key, refusal

Colour = tuple[int, int, int]

CLIP_MEAN: Colour = (122, 116, 104)
"""CLIP's mean colour in 0..255, with which LLaVA-1.5 pads."""

_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)


class _Jpeg(JpegImageFile):
    """Pillow's reader, but for its search for a resolution in EXIF, which would read all of that."""

    def _read_dpi_from_exif(self) -> None:
        pass


class _Gif(GifImageFile):
    """Pillow's reader, but for what would prepare a second frame; the blocks of the file are counted as it reads them.

    Args:
        file: the GIF.
        max_blocks: how many it may have.
    """

    disposal_method = property(lambda self: 0, lambda self, value: None)
    """Pillow would fill an area of the frame's size to dispose of it, before that size can be judged."""

    def __init__(self, file: BytesIO, *, max_blocks: int) -> None:
        self._blocks_left = max_blocks
        super().__init__(file)

    def data(self) -> bytes | None:
        """The next block; each of a comment is kept, whose single byte then takes fifty."""
        self._blocks_left -= 1
        if self._blocks_left < 0:
            raise refusal("image_corrupt", "The image has too many blocks.")
        return super().data()


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
    """Longest side of a view in pixels (four times CLIP's 336). Larger pictures are reduced with an antialiasing
    filter, so a view takes at most 3·max_side² bytes whatever the picture's shape."""

    min_side: int = 32
    """Longest side of a view, at least. Smaller pictures are enlarged: processors cannot tell the axes of a picture
    of one or three pixels apart."""

    max_scans: int = 64
    """Scans of a progressive JPEG (encoders write about ten). Each costs a pass over all pixels."""

    max_segments: int = 4096
    """Segments of a JPEG (cameras write tens, or hundreds with long metadata), chunks of a PNG. An empty one has four
    bytes, or twelve, and costs a reader in Python a thousand times as much. A GIF may have as many blocks, and one more
    for every hundred of its bytes (encoders fill each with 255)."""

    max_texts: int = 16
    """Compressed texts of a PNG (programs write a handful). A thousand bytes of one may unpack to a megabyte, which
    takes four where a character of it needs them, and Pillow keeps all."""


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


def decode(data: bytes, *, limits: ImageLimits | None = None, fill: Colour = CLIP_MEAN) -> DecodedImage:
    """Decode one untrusted picture.

    Args:
        data: an encoded JPEG, PNG, WebP or one-frame GIF.
        limits: bounds; the defaults of :class:`ImageLimits` when None.
        fill: padding colour, the image processor's mean in 0..255.

    Raises:
        ImageError: code ``image_empty``, ``image_format``, ``image_corrupt``, ``image_too_large``, ``image_animated``
            or ``image_aspect``. The message never quotes the file.
    """
    limits = ImageLimits() if limits is None else limits
    if not data:
        raise refusal("image_empty", "The image is empty.")
    if len(data) > limits.max_bytes:
        raise refusal("image_too_large", f"The image is larger than {limits.max_bytes} bytes.")
    opener = _opener(data, limits)
    try:
        return _decode(data, opener, limits, fill)
    except ImageError:
        raise
    except (Image.DecompressionBombError, MemoryError) as exc:
        raise refusal("image_too_large", f"The image has more than {limits.max_pixels} pixels.") from exc
    except Exception as exc:  # Pillow raises OSError, SyntaxError, ValueError, TypeError, struct.error and others
        raise refusal("image_corrupt", "The image cannot be decoded: it is damaged or cut short.") from exc


def decode_base64(text: str, *, limits: ImageLimits | None = None) -> bytes:
    """The bytes of a base64 string or ``data:`` URL, not yet decoded as a picture.

    Raises:
        ImageError: code ``image_encoding`` (not base64), ``image_url`` (an address: nothing is fetched) or
            ``image_too_large`` (judged by the length of the text, before it is decoded).
    """
    limits = ImageLimits() if limits is None else limits
    head, comma, payload = text.partition(",") if text.startswith("data:") else ("", "", text)
    if head and (not comma or not head.endswith(";base64")):
        raise refusal("image_encoding", "A data URL must be base64-encoded.")
    if "://" in payload[:16]:
        raise refusal("image_url", "Image addresses are not fetched; send the image itself.")
    if len(payload) // 4 * 3 > limits.max_bytes + 3:
        raise refusal("image_too_large", f"The image is larger than {limits.max_bytes} bytes.")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise refusal("image_encoding", "The image is neither base64 nor a base64 data URL.") from exc


def pad_to_square(image: Image.Image, fill: Colour = CLIP_MEAN) -> Image.Image:
    """Centre an RGB picture on a square of its longer side, as LLaVA-1.5 did in training; a square one as it is."""
    side = max(image.size)
    if image.width == image.height:
        return image
    square = Image.new("RGB", (side, side), fill)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _opener(data: bytes, limits: ImageLimits) -> Callable[[BytesIO], ImageFile]:
    """The decoder that the file's first bytes ask for."""
    # The plugin classes instead of Image.open: no other format can slip in, a phone's multi-picture JPEG is read as
    # the one picture that every viewer shows, and Pillow's process-wide bomb limit does not warn before ours speaks.
    if data.startswith(b"\xff\xd8\xff"):
        return _Jpeg
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith((b"GIF87a", b"GIF89a")):
        return partial(_Gif, max_blocks=limits.max_segments + len(data) // 100)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebPImageFile
    raise refusal("image_format", "Only JPEG, PNG, WebP and GIF images are accepted.")


def _decode(data: bytes, opener: Callable[[BytesIO], ImageFile], limits: ImageLimits, fill: Colour) -> DecodedImage:
    if opener is _Jpeg:
        check_jpeg(data, max_segments=limits.max_segments, max_scans=limits.max_scans)
    if opener is PngImageFile:
        check_png(data, max_chunks=limits.max_segments, max_texts=limits.max_texts)
    with opener(BytesIO(data)) as file:
        _check_header(file, limits)
        file.load()
        if opener is PngImageFile and "transparency" in file.info:
            file.info["transparency"] = png_key(data, file.mode, file.info["transparency"])
        image = _oriented(file)
        profile = file.info.get("icc_profile")
    width, height = image.size
    image = _scaled(_resizable(image), limits)
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colour = _in_srgb(image.convert(image.mode.removesuffix("A")), profile)
    views: tuple[Image.Image, ...] = (colour,)
    if alpha is not None and alpha.getextrema() != (255, 255):
        views = tuple(
            Image.composite(colour, Image.new("RGB", colour.size, background), alpha) for background in (_BLACK, _WHITE)
        )
    return DecodedImage(
        views=tuple(pad_to_square(view, fill) for view in views),
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
    )


def _check_header(file: ImageFile, limits: ImageLimits) -> None:
    """Judge what the header declares; nothing is decoded yet."""
    width, height = file.size
    if width * height > limits.max_pixels:
        raise refusal("image_too_large", f"The image has more than {limits.max_pixels} pixels.")
    if max(width, height) > limits.max_aspect * min(width, height):
        raise refusal("image_aspect", f"The image is longer than {limits.max_aspect:g} times its width.")
    if getattr(file, "is_animated", False):
        raise refusal("image_animated", "The image has more than one frame.")


def _oriented(image: Image.Image) -> Image.Image:
    """Undo the camera's rotation; always a copy that outlives the file."""
    turn = _TURNS.get(orientation(image.info.get("exif")))
    return image.copy() if turn is None else image.transpose(turn)


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


def _scaled(image: Image.Image, limits: ImageLimits) -> Image.Image:
    """Bring the longest side within bounds; bicubic with antialiasing, transparent pixels premultiplied by Pillow."""
    longest = max(image.size)
    target = min(max(longest, limits.min_side), limits.max_side)
    if target == longest:
        return image
    size = tuple(max(1, round(side * target / longest)) for side in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.BICUBIC)


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
