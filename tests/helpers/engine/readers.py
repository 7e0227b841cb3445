"""Readers of lettering that read nothing, and pictures with real lettering."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

import pytest
from PIL import Image, ImageDraw, ImageFont

from safety_core.lettering.reading import Lettering, Line, Problem
from tests.helpers.paths import ROOT

needs_ocr = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("rapidocr_onnxruntime", "onnxruntime", "cv2")),
    reason="NOT TESTED: reading real lettering, because the extra ocr is not installed",
)
"""Marks a test that reads with RapidOCR."""

_FONTS = ROOT / "safety_core" / "nano" / "assets" / "fonts"


def create_lines(*texts: str) -> tuple[Line, ...]:
    """Lines below each other."""
    height = 1 / max(1, len(texts))
    return tuple(
        Line(text=text, confidence=0.9, box=(0.1, index * height, 0.9, (index + 0.8) * height))
        for index, text in enumerate(texts)
    )


@dataclass(eq=False)
class FakeReader:
    """Implements LetteringReader: finds the same lettering in every picture, or another one by its colour."""

    texts: Sequence[str] = ()
    """The lettering of every picture."""

    by_colour: dict[tuple[int, int, int], Sequence[str]] = field(default_factory=dict)
    """The lettering of pictures by the colour of their first pixel."""

    failure: BaseException | None = None
    """Raised in place of reading."""

    problem: Problem | None = None
    """What it says that it could not read."""

    gate: threading.Event = field(default_factory=threading.Event)
    """Reading waits for it; set from the start unless a test clears it."""

    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Sizes of the pictures that it got."""

    began: threading.Event = field(default_factory=threading.Event)
    """Set when it got a picture."""

    def __post_init__(self) -> None:
        self.gate.set()

    def read(self, image: Image.Image) -> Lettering:
        self.sizes.append(image.size)
        self.began.set()
        assert self.gate.wait(240)
        if self.failure is not None:
            raise self.failure
        colour = image.getpixel((0, 0))
        assert isinstance(colour, tuple)
        texts = self.by_colour.get((int(colour[0]), int(colour[1]), int(colour[2])), self.texts)
        return Lettering(lines=create_lines(*texts), problem=self.problem)


def draw_sentences(
    texts: Sequence[str], *, size: tuple[int, int] = (640, 640), height: int = 22, font: str = "DejaVuSans.ttf"
) -> Image.Image:
    """A picture with sentences below each other, in black on white.

    Args:
        texts: the sentences.
        size: the picture's size in pixels.
        height: size of the font in pixels; capitals are three quarters as high.
        font: a file among the nano's fonts.
    """
    image = Image.new("RGB", size, "white")
    draw, face = ImageDraw.Draw(image), ImageFont.truetype(_FONTS / font, height)
    for index, text in enumerate(texts):
        draw.text((15, 12 + index * height * 3 // 2), text, font=face, fill="black")
    return image
