from itertools import product
from random import Random

from safety_core.nano.world.random_scenes import list_shape_colours
from safety_core.nano.world.scene import (
    CELLS,
    FONTS_HELD_OUT,
    FONTS_TRAINED,
    GRID,
    PATCH,
    PATTERNS_HELD_OUT,
    PATTERNS_TRAINED,
    SIDE,
    PlacedItem,
    compute_item_box,
    place_item,
)


def test_patches_tile_the_picture() -> None:
    assert GRID * PATCH == SIDE


def test_cells_are_named_row_by_row() -> None:
    assert CELLS == ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")


def test_nothing_is_both_trained_and_held_out() -> None:
    assert not set(FONTS_TRAINED) & set(FONTS_HELD_OUT)
    assert not set(PATTERNS_TRAINED) & set(PATTERNS_HELD_OUT)


def test_a_thing_of_any_size_stays_inside_its_cell() -> None:
    third = SIDE / 3
    for cell, size in product(range(9), range(36, 47)):
        slack = (SIDE // 3 - size) // 2
        for dx, dy in product((-slack, slack), repeat=2):
            left, top, right, bottom = compute_item_box(PlacedItem(name="dog", cell=cell, size=size, dx=dx, dy=dy))
            assert cell % 3 * third <= left + 1e-9 < right <= (cell % 3 + 1) * third + 1e-9
            assert cell // 3 * third <= top + 1e-9 < bottom <= (cell // 3 + 1) * third + 1e-9
            assert (right - left, bottom - top) == (size, size)


def test_random_places_use_all_the_room_there_is() -> None:
    rng = Random(0)
    items = [place_item(rng, "star", 4, list_shape_colours("white")[0]) for _ in range(500)]
    assert {item.size for item in items} == set(range(36, 47))
    assert all(abs(item.dx) <= (SIDE // 3 - item.size) // 2 for item in items)
    assert {(item.dx > 0) - (item.dx < 0) for item in items} == {-1, 0, 1}
