"""The tiny checkpoint behind a guard, and pictures for it."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.inputs.images.decoding import DecodedImage, decode


def picture(colour: str = "red", *, size: tuple[int, int] = (40, 30)) -> DecodedImage:
    """A decoded picture of one view."""
    return decode(_png(_drawing(colour, size)))


def clear_picture(colour: str = "red") -> DecodedImage:
    """A decoded picture of two views: a drawing on transparent ground."""
    image = _drawing(colour, (40, 40)).convert("RGBA")
    image.putalpha(image.getchannel("R").point(lambda value: 255 if value else 0))
    return decode(_png(image))


def _drawing(colour: str, size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, (0, 40, 90))
    ImageDraw.Draw(image).ellipse((5, 5, size[0] - 8, size[1] - 10), fill=colour)
    return image


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def guard(tiny_checkpoint: Path) -> Guard:
    """A guard of its own for each test, so that each may break it."""
    return load_guard(tiny_checkpoint, device="cpu")
