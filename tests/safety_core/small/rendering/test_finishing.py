from random import Random

import numpy as np
import pytest
from PIL import Image

from safety_core.small.rendering.finishing import Finish, finish_picture, mount_sheet, reduce_picture


@pytest.mark.parametrize("seed", range(8))
def test_a_mounted_sheet_lies_wholly_inside(seed: int) -> None:
    sheet = Image.new("RGB", (400, 300), "white")
    ground = Image.new("RGB", (480, 380), "black")
    mounted = np.asarray(mount_sheet(Random(seed), sheet, ground, tilt=6, shade=False).convert("L"))
    assert mounted.shape == (380, 480)
    edges = (mounted[0], mounted[-1], mounted[:, 0], mounted[:, -1])
    assert max(int(edge.max()) for edge in edges) < 128
    # Hardly smaller than the sheet, so that lettering stays legible.
    assert (mounted > 128).sum() > 0.8 * 400 * 300


@pytest.mark.parametrize("finish", ["screen", "scan", "photo", "none"])
def test_finishing_keeps_size_and_legibility(finish: Finish) -> None:
    picture = Image.new("RGB", (300, 240), "white")
    picture.paste((0, 0, 0), (100, 100, 200, 140))
    done = finish_picture(Random(1), picture, finish)
    assert done.size == picture.size
    values = np.asarray(done.convert("L"), dtype=np.float32)
    assert values[110:130, 110:190].mean() < 60
    assert values[10:90].mean() > 170


def test_reducing_stops_at_the_shortest_side_and_the_smallest_letters() -> None:
    for seed in range(20):
        small = reduce_picture(Random(seed), Image.new("RGB", (600, 450)), 0.3)
        assert min(small.size) >= 224
        assert reduce_picture(Random(seed), Image.new("RGB", (600, 450)), 0.9).width >= 540
        assert reduce_picture(Random(seed), Image.new("RGB", (600, 450)), 1.2).size == (600, 450)
