"""Converts images to the pixel arrays of the vision tower, and reads what decoding must know of an image processor.

Does not run torch. Shapes: B images · C channels · H, W height and width in pixels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from safety_core.inputs.images.views import Colour


def preprocess_images(image_processor: Any, images: Sequence[Image.Image]) -> NDArray[np.float32]:
    """Convert square RGB images to pixels_BCHW.

    Runs without torch, so that any thread may call it: a thread that enters torch's parallel regions gets its own
    helper threads, which then compete with those of the thread that runs the model.
    """
    return np.asarray(image_processor(list(images), return_tensors="np")["pixel_values"], dtype=np.float32)


def get_pad_colour(image_processor: Any) -> Colour:
    """Return the image processor's mean colour in 0..255, with which images are padded to a square."""
    red, green, blue = (int(255 * mean) for mean in image_processor.image_mean)
    return red, green, blue


def get_image_side(image_processor: Any) -> int | None:
    """Return the longest side in pixels of the image processor's output for a square image; None if unknown."""
    sizes = [getattr(image_processor, name, None) or {} for name in ("size", "crop_size")]
    sides = [side for size in sizes for side in dict(size).values() if isinstance(side, int)]
    return max(sides, default=None)
