import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
import pytest

from safety_core.nano.world.drawing import draw
from safety_core.nano.world.lettering import (
    SLANT,
    STRETCH,
    find_pivot,
    list_free_cells,
    list_readable_colours,
    measure_block_width,
    measure_text_width,
    place_lettering,
    place_lines,
    wrap_words,
)
from safety_core.nano.world.scene import (
    BACKGROUNDS,
    COLOURS,
    FONTS_HELD_OUT,
    FONTS_TRAINED,
    MAX_ANGLE,
    MAX_PX,
    MIN_PX,
    SIDE,
    Lettering,
    Scene,
    compute_line_height,
    compute_luminance,
)
from safety_core.nano.world.vocabulary import VOCABULARY

FACES = (*FONTS_TRAINED, *FONTS_HELD_OUT)


@cache
def laid_out(fonts: tuple[str, ...], *, varied: bool) -> tuple[Lettering, ...]:
    """Some two hundred blocks of words as the world lays them out."""
    found = []
    for index in range(200):
        rng = Random(f"lettering/{index}")
        words = tuple(rng.choice(VOCABULARY) for _ in range(rng.randint(1, 6)))
        block = place_lettering(rng, words, rng.choice(list(BACKGROUNDS)), fonts=fonts, varied=varied)
        if block is not None:
            found.append(block)
    return tuple(found)


def blocks() -> tuple[Lettering, ...]:
    """Blocks in every face."""
    return laid_out(FACES, varied=False)


def varied_blocks() -> tuple[Lettering, ...]:
    """Blocks in narrowed and leaning letters."""
    return laid_out(FONTS_TRAINED, varied=True)


def corners(block: Lettering) -> list[tuple[float, float]]:
    """Corners of the lines after the block was tilted."""
    middle_x, middle_y = find_pivot(block)
    turn = math.radians(block.angle)
    found = []
    for left, top, text in place_lines(block):
        for x in (left, left + measure_text_width(block.font, block.px, text) * block.stretch):
            for y in (top, top + block.line_height):
                u, v = x + block.slant * (top + block.px - y) - middle_x, y - middle_y
                # Degrees count against the clock, and y points down.
                found.append(
                    (
                        middle_x + u * math.cos(turn) + v * math.sin(turn),
                        middle_y - u * math.sin(turn) + v * math.cos(turn),
                    )
                )
    return found


def test_blocks_keep_their_words_sizes_and_tilts() -> None:
    found = blocks()
    assert len(found) > 150
    assert {block.font for block in found} == set(FACES)
    assert all(MIN_PX <= block.px <= MAX_PX for block in found)
    assert all(abs(block.angle) <= MAX_ANGLE for block in found)
    assert any(block.angle > 2 for block in found)
    assert any(block.angle < -2 for block in found)


def test_only_varied_letters_change_their_shape() -> None:
    assert {(block.stretch, block.slant) for block in blocks()} == {(1.0, 0.0)}
    shapes = [(block.stretch, block.slant) for block in varied_blocks()]
    assert len(shapes) > 150
    assert all(STRETCH[0] <= stretch <= STRETCH[1] for stretch, _ in shapes)
    leaning = [slant for _, slant in shapes if slant]
    assert all(SLANT[0] <= slant <= SLANT[1] for slant in leaning)
    assert 0.3 < len(leaning) / len(shapes) < 0.7


@pytest.mark.parametrize("some", [blocks, varied_blocks])
def test_tilted_lines_stay_in_the_picture(some: Callable[[], tuple[Lettering, ...]]) -> None:
    # Line boxes are wider than their ink: two pixels over the edge cut nothing that is read.
    out = [max(-x, -y, x - SIDE, y - SIDE) for block in some() for x, y in corners(block)]
    assert max(out) <= 5
    assert sum(one > 0 for one in out) < 0.02 * len(out)


def test_words_keep_their_order() -> None:
    rng = Random(0)
    words = ("do", "not", "wash", "the", "silver", "car")
    for _ in range(50):
        lines = wrap_words(rng, words, "DejaVuSans", 18, 100)
        assert lines is not None
        assert tuple(word for line in lines for word in line) == words
        assert all(measure_text_width("DejaVuSans", 18, " ".join(line)) <= 100 for line in lines)


def test_what_does_not_fit_is_not_placed() -> None:
    assert wrap_words(Random(0), ("breakfast",), "DejaVuSans-Bold", 32, 60) is None
    assert place_lettering(Random(0), VOCABULARY[:40], "white", fonts=FACES) is None
    assert place_lettering(Random(0), ("breakfast",), "white", fonts=FACES, px=60) is None


def test_given_lines_and_sizes_are_kept() -> None:
    lines = (("1.", "make", "a"), ("2.", "cake"), ("3.",))
    block = place_lettering(Random(0), lines, "white", fonts=FACES, px=20, tilt=False)
    assert block is not None
    assert (block.lines, block.px, block.angle) == (lines, 20, 0.0)


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_lettering_stands_out(background: str) -> None:
    colours = list_readable_colours(background)
    assert len(colours) >= 2
    ground = compute_luminance(BACKGROUNDS[background])
    assert all(abs(compute_luminance(COLOURS[name]) - ground) >= 80 for name in colours)


def test_free_cells_are_clear_of_the_block() -> None:
    assert list_free_cells(None) == list(range(9))
    some = 0
    for block in blocks():
        top, bottom = (edge(y for _, y in corners(block)) for edge in (min, max))
        for cell in list_free_cells(block):
            some += 1
            assert (cell // 3 + 1) * SIDE / 3 <= top + 1 or cell // 3 * SIDE / 3 >= bottom - 1
    assert some > 100


def test_lines_lie_below_each_other() -> None:
    block = Lettering(lines=(("one", "two"), ("three",)), font="DejaVuSans", px=20, colour="red", left=7, top=9)
    assert place_lines(block) == [(7, 9, "one two"), (7, 9 + compute_line_height(20), "three")]
    assert block.height == 2 * compute_line_height(20)


@pytest.mark.parametrize(("stretch", "slant"), [(0.85, 0.0), (1.0, 0.2), (0.85, 0.2)])
def test_reshaped_letters_are_as_wide_as_their_block_says(stretch: float, slant: float) -> None:
    plain = Lettering(lines=(("hammer",),), font="DejaVuSansMono-Bold", px=26, colour="black", left=12, top=50)
    block = replace(plain, stretch=stretch, slant=slant)
    ground = Scene(background="white", pattern="plain", seed=1)
    columns, flat = (
        np.nonzero((np.asarray(draw(replace(ground, lettering=one))) != np.asarray(draw(ground))).any(axis=(0, 2)))[0]
        for one in (block, plain)
    )
    assert block.left - 1 <= columns.min()
    assert columns.max() <= block.left + measure_block_width(block) + 1
    wanted = (flat.max() - flat.min()) * stretch
    assert wanted + 0.5 * slant * block.px - 3 < columns.max() - columns.min() < wanted + slant * block.px + 3
