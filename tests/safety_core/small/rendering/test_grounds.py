from collections.abc import Callable
from random import Random

import pytest
from PIL import Image

from safety_core.small.rendering.grounds import (
    Size,
    cover_photograph,
    measure_brightness,
    paint_gradient,
    paint_paper,
    paint_scene,
    paint_wall,
    paint_wood,
    rule_paper,
)


@pytest.mark.parametrize("paint", [paint_scene, paint_wall, paint_wood])
def test_grounds_have_their_size_and_repeat(paint: Callable[[Random, Size], Image.Image]) -> None:
    first, again = (paint(Random(4), (300, 240)) for _ in range(2))
    assert first.size == (300, 240)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != paint(Random(5), (300, 240)).tobytes()


@pytest.mark.parametrize("size", [(224, 900), (900, 224), (500, 500)])
def test_a_photograph_fills_every_shape(size: Size) -> None:
    photograph = Image.new("RGB", (320, 200), (10, 200, 30))
    filled = cover_photograph(Random(0), photograph, size)
    assert filled.size == size
    assert filled.getextrema() == ((10, 10), (200, 200), (30, 30))


def test_brightness_is_that_of_the_box() -> None:
    sheet = paint_gradient((256, 256), (0, 0, 0), (255, 255, 255))
    top, _ = measure_brightness(sheet, (0, 0, 256, 30))
    bottom, _ = measure_brightness(sheet, (0, 226, 256, 256))
    assert top < 40 < 215 < bottom


def test_ruled_paper_has_lines() -> None:
    paper = paint_paper(Random(0), (300, 300), (250, 250, 250))
    before = paper.tobytes()
    rule_paper(paper, Random(0), 30)
    assert paper.tobytes() != before
