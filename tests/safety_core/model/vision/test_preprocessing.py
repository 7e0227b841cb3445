from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.preprocessing import get_image_side, get_pad_colour, preprocess_images


def test_pixels_are_those_of_the_image_processor(model: SafeLlava, pictures: list[Image.Image]) -> None:
    pixels = preprocess_images(model.image_processor, pictures[:2])
    assert pixels.dtype == np.float32
    expected = model.image_processor(pictures[:2], return_tensors="pt")["pixel_values"]
    assert torch.equal(torch.from_numpy(pixels), expected)
    assert torch.equal(model.preprocess(pictures[:2]), expected)


def test_the_pad_colour_is_the_processors_mean() -> None:
    assert get_pad_colour(SimpleNamespace(image_mean=[0.48145466, 0.4578275, 0.40821073])) == (122, 116, 104)


def test_the_side_is_the_longest_that_the_processor_makes() -> None:
    processor = SimpleNamespace(size={"shortest_edge": 336}, crop_size={"height": 224, "width": 224})
    assert get_image_side(processor) == 336
    assert get_image_side(SimpleNamespace(size=None)) is None
