"""Reads the lettering in the images of samples, once per image and reader.

Knows nothing of pairs, scores or replies.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from safety_core.data.sample_images import ImageRef
from safety_core.errors import ImageError
from safety_core.inputs.images.decoding import DecodedImage, decode_image
from safety_core.inputs.images.views import Colour
from safety_core.lettering.bounded_reader import BoundedReader, PictureReading
from safety_core.lettering.readers import choose_reader
from safety_core.lettering.reading import ReadingLimits

UNHURRIED = ReadingLimits(picture_s=120.0, request_s=math.inf)
"""Bounds on reading that leave so much time that results do not depend on the load of the machine."""

_BATCH = 32
"""Images that are decoded before they are read together."""

_KEPT = 1 << 20
"""Maximum number of results that are kept, for the systems that read the same images."""


def create_sample_reader(name: str | None) -> BoundedReader | None:
    """Create the reader that a checkpoint names, for many samples; None if it names none.

    Raises:
        ConfigError: what the reader needs is not installed.
    """
    reader = choose_reader(name, limits=UNHURRIED)
    return None if reader is None else BoundedReader(reader, UNHURRIED, concurrent=os.cpu_count() or 1, kept=_KEPT)


def read_images(reader: BoundedReader, refs: Sequence[ImageRef], fill: Colour) -> list[PictureReading]:
    """Read the lettering of images.

    Args:
        reader: the reader.
        refs: the images.
        fill: the padding colour of the image processor.

    Raises:
        SampleError: an image cannot be decoded.
    """
    readings: list[PictureReading] = []
    for start in range(0, len(refs), _BATCH):
        readings += reader.read([_decode(ref, fill) for ref in refs[start : start + _BATCH]])
    return readings


def _decode(ref: ImageRef, fill: Colour) -> DecodedImage:
    try:
        return decode_image(ref.read(), fill=fill)
    except ImageError as exc:
        raise ref.sample.create_error(exc.message, ref.field) from exc
