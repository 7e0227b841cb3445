from random import Random

import pytest

from safety_core.nano.world.random_scenes import is_held_out_place, list_shape_colours, sample_items
from safety_core.nano.world.scene import BACKGROUNDS, COLOURS, SHAPES
from safety_core.nano.world.things import THINGS, find_things

NAMES = (*(thing.name for thing in THINGS), *SHAPES)


def test_one_place_in_eight_is_held_out() -> None:
    held_out = [[is_held_out_place(name, cell) for cell in range(9)] for name in NAMES]
    assert sum(map(sum, held_out)) / (9 * len(NAMES)) == pytest.approx(1 / 8, abs=0.02)
    # Every thing keeps a place to be trained in, and most have one to be tested in.
    assert not any(all(row) for row in held_out)
    assert sum(any(row) for row in held_out) > len(NAMES) / 2


def test_things_stand_in_cells_of_their_own() -> None:
    rng = Random(0)
    for _ in range(200):
        items = sample_items(rng, "white", [0, 2, 4, 6], 3)
        assert len({item.cell for item in items}) == len(items) <= 3
        assert {item.cell for item in items} <= {0, 2, 4, 6}
        assert len({item.name for item in items}) == len(items)


def test_only_clean_things_unless_asked() -> None:
    clean = {thing.name for thing in find_things("clean")} | set(SHAPES)
    rng = Random(0)
    found = {item.name for _ in range(300) for item in sample_items(rng, "white", list(range(9)), 9)}
    assert found <= clean
    anything = {item.name for _ in range(300) for item in sample_items(rng, "white", list(range(9)), 9, any_kind=True)}
    assert anything == set(NAMES)


def test_held_out_places_appear_only_where_asked() -> None:
    rng = Random(0)
    for held_out in (False, True):
        places = [
            (item.name, item.cell)
            for _ in range(150)
            for item in sample_items(rng, "white", list(range(9)), 6, held_out=held_out)
        ]
        assert any(is_held_out_place(*place) for place in places) == held_out


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_shapes_stand_out_from_their_background(background: str) -> None:
    colours = list_shape_colours(background)
    assert len(colours) >= 4
    assert background not in colours
    assert set(colours) <= set(COLOURS)
