from dataclasses import replace
from random import Random

import numpy as np
import numpy.typing as npt
import pytest

from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.random_scenes import list_shape_colours
from safety_core.nano.world.scene import (
    BACKGROUNDS,
    COLOURS,
    PATTERNS_HELD_OUT,
    PATTERNS_VARIED,
    SHAPES,
    SIDE,
    Lettering,
    PlacedItem,
    Scene,
    compute_item_box,
)
from safety_core.nano.world.things import RISKY_KINDS, THINGS

PLAIN = Scene(background="white", pattern="plain", seed=3)
PATTERNS = tuple(dict.fromkeys((*PATTERNS_VARIED, *PATTERNS_HELD_OUT)))


def pixels(scene: Scene) -> npt.NDArray[np.float32]:
    return np.asarray(draw(scene), dtype=np.float32)


def changed(one: Scene, other: Scene) -> npt.NDArray[np.bool_]:
    """Where two pictures differ, shape (SIDE, SIDE)."""
    differ: npt.NDArray[np.bool_] = (pixels(one) != pixels(other)).any(axis=-1)
    return differ


def test_the_same_scene_is_the_same_picture() -> None:
    for index in range(12):
        drawn = sample_scene(
            Random(index), ("clean", *RISKY_KINDS, "sign", "private_number")[index % 11], held_out=index % 2 == 0
        )
        again = replace(drawn.scene)
        picture = draw(drawn.scene)
        assert (picture.mode, picture.size) == ("RGB", (SIDE, SIDE))
        assert picture.tobytes() == draw(again).tobytes()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_two_shades_of_one_colour(pattern: str) -> None:
    for name, rgb in BACKGROUNDS.items():
        ground = pixels(Scene(background=name, pattern=pattern, seed=5))
        assert np.abs(ground.mean(axis=(0, 1)) - np.array(rgb)).max() < 30
    if pattern != "plain":
        assert changed(PLAIN, replace(PLAIN, pattern=pattern)).mean() > 0.1
        assert changed(replace(PLAIN, pattern=pattern), replace(PLAIN, pattern=pattern, seed=4)).any()


def test_an_unknown_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown background pattern 'tartan'"):
        draw(replace(PLAIN, pattern="tartan"))


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.name)
def test_every_thing_shows_inside_its_box_and_nowhere_else(thing: object) -> None:
    index = next(index for index, one in enumerate(THINGS) if one is thing)
    item = PlacedItem(name=THINGS[index].name, cell=index % 9, size=36 + index % 11, dx=0, dy=0)
    left, top, right, bottom = compute_item_box(item)
    ink = changed(PLAIN, replace(PLAIN, items=(item,)))
    assert ink[top:bottom, left:right].mean() > 0.15
    ink[top:bottom, left:right] = False
    assert not ink.any()


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_show_their_colour_inside_their_cell(shape: str) -> None:
    for number, colour in enumerate(list_shape_colours("white")):
        item = PlacedItem(name=shape, cell=number, size=46, dx=0, dy=0, colour=colour)
        left, top, right, bottom = compute_item_box(item)
        scene = replace(PLAIN, items=(item,))
        ink = changed(PLAIN, scene)
        assert (pixels(scene)[ink] == COLOURS[colour]).all()
        assert ink[top:bottom, left:right].mean() > 0.25
        # PIL's shapes include their last pixel.
        ink[top : bottom + 1, left : right + 1] = False
        assert not ink.any()


def test_every_shape_and_every_thing_looks_different() -> None:
    items = [PlacedItem(name=name, cell=4, size=46, dx=0, dy=0, colour="red") for name in SHAPES]
    items += [PlacedItem(name=thing.name, cell=4, size=46, dx=0, dy=0) for thing in THINGS]
    assert len({draw(replace(PLAIN, items=(item,))).tobytes() for item in items}) == len(THINGS) + len(SHAPES)


def test_lettering_has_its_colour_and_a_card_has_a_frame() -> None:
    block = Lettering(lines=(("open",),), font="DejaVuSans-Bold", px=30, colour="blue", left=10, top=50)
    scene = replace(PLAIN, lettering=block)
    ink = changed(PLAIN, scene)
    rows, columns = np.nonzero(ink)
    assert (rows >= 50).all()
    assert (rows < 50 + block.height).all()
    assert (columns >= 10).all()
    assert (pixels(scene) == COLOURS["blue"]).all(axis=-1).sum() > 100
    frame = changed(scene, replace(scene, card=True))
    assert frame[10:48, 10:-10].all()
    assert frame[-20:-10, 10:-10].all()
    assert not frame[:3].any()
