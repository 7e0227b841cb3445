"""Encodes pictures as files, as base64 and as data URLs."""

import base64
from io import BytesIO

from PIL import ExifTags, Image


def encode_image(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as a file of one of Pillow's formats; ``options`` go to ``Image.save``."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encode_png(size: tuple[int, int] = (12, 8), colour: str = "red") -> bytes:
    return encode_image(Image.new("RGB", size, colour), "PNG")


def encode_jpeg_with_metadata(words: str) -> bytes:
    """A JPEG file with ``words`` in its metadata."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = words
    exif[ExifTags.Base.ImageDescription] = words
    return encode_image(Image.new("RGB", (12, 8), "red"), "JPEG", exif=exif, comment=words.encode())


def encode_base64_png(colour: str = "red") -> str:
    return base64.b64encode(encode_png(colour=colour)).decode()


def encode_data_url(picture: bytes) -> str:
    """An image file as a data URL. The server ignores the media type that the URL claims."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def decode_rgb(data: bytes) -> Image.Image:
    """The pixels of an image file, as RGB."""
    return Image.open(BytesIO(data)).convert("RGB")


_STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""The transposition that each EXIF orientation undoes; orientation 1 means none."""


def encode_rotated(image: Image.Image, orientation: int, kind: str = "PNG", **options: object) -> bytes:
    """The file of a camera held at an EXIF orientation: transposed pixels, and metadata that say so."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    turn = _STORED_AS.get(orientation)
    return encode_image(image if turn is None else image.transpose(turn), kind, exif=exif, **options)
