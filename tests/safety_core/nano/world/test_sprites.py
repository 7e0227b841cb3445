from itertools import combinations

import numpy as np
from PIL import Image

from safety_core.nano.world.sprites import COLUMNS, SPRITE, crop_sprite
from safety_core.nano.world.things import ASSETS, THINGS


def test_every_pictogram_has_ink() -> None:
    for index, thing in enumerate(THINGS):
        picture = crop_sprite(index)
        assert picture.mode == "RGBA"
        assert picture.size == (SPRITE, SPRITE)
        opaque = (np.asarray(picture)[..., 3] > 128).mean()
        assert opaque > 0.1, thing.name
        # The longer side fills the sprite, so that sizes of things are comparable.
        left, top, right, bottom = picture.getchannel("A").getbbox() or (0, 0, 0, 0)
        assert max(right - left, bottom - top) >= SPRITE - 2, thing.name


def test_no_two_pictograms_look_alike() -> None:
    small = [np.asarray(crop_sprite(index).resize((8, 8)), dtype=np.int16) for index in range(len(THINGS))]
    for one, other in combinations(range(len(THINGS)), 2):
        apart = np.abs(small[one] - small[other]).mean()
        assert apart > 3, f"{THINGS[one].name} and {THINGS[other].name} are hard to tell apart"


def test_the_sheet_has_a_place_for_every_thing_and_no_more() -> None:
    with Image.open(ASSETS / "sprites.png") as sheet:
        assert sheet.size == (COLUMNS * SPRITE, -(-len(THINGS) // COLUMNS) * SPRITE)
