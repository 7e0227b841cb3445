"""Decodes image files and checks the result."""

import pytest
from PIL import Image, ImageChops

from safety_core.errors import ImageError
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits


def decode_only_view(data: bytes, **limits: float) -> Image.Image:
    """Decode a file that has a single view."""
    decoded = decode_image(data, limits=ImageLimits(**limits))  # type: ignore[arg-type]
    assert len(decoded.views) == 1
    return decoded.views[0]


def measure_difference(left: Image.Image, right: Image.Image) -> int:
    """The largest difference of a channel of a pixel."""
    assert left.size == right.size
    extrema = ImageChops.difference(left, right).getextrema()
    return max(int(high) for _, high in extrema)  # type: ignore[misc]


def get_error_code(data: bytes, **limits: float) -> str:
    """The error code of a file that cannot be decoded."""
    with pytest.raises(ImageError) as caught:
        decode_image(data, limits=ImageLimits(**limits))  # type: ignore[arg-type]
    assert caught.value.param == "image"
    return caught.value.code
