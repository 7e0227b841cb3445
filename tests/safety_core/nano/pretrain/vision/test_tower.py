from pathlib import Path
from random import Random

import torch

from safety_core.nano.build.backbone import create_image_processor
from safety_core.nano.pretrain.recipes import VisionRecipe
from safety_core.nano.pretrain.vision.batches import sample_text_scene, sample_thing_scene
from safety_core.nano.pretrain.vision.tower import (
    HEADS,
    DenseTower,
    build_sincos_positions,
    convert_to_pixels,
    create_tower_config,
)
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.scene import GRID, SIDE

TINY = VisionRecipe(hidden=16, layers=3, heads=2, steps=4, batch=2, warmup=1)


def test_pixels_are_those_of_the_shipped_processor() -> None:
    pictures = [draw(sample_thing_scene(Random(0))), draw(sample_text_scene(Random(1), letters=True))]
    served = create_image_processor()(pictures, return_tensors="pt")["pixel_values"]
    assert served.shape == (2, 3, SIDE, SIDE)
    torch.testing.assert_close(convert_to_pixels(pictures), served, rtol=0, atol=1e-5)


def test_logits_come_for_every_patch() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        logits = DenseTower(TINY)(torch.zeros(2, 3, SIDE, SIDE))
    shapes = {name: tuple(value.shape) for name, value in logits.items()}
    assert shapes == {name: (2, GRID**2, size) for name, size in (*HEADS.items(), ("early_letter", HEADS["letter"]))}


def test_neighbours_start_out_alike() -> None:
    table = build_sincos_positions(GRID, 32)
    assert table.shape == (GRID**2, 32)
    near, below, far = (torch.dot(table[0], table[other]) for other in (1, GRID, GRID**2 - 1))
    assert near > far
    assert below > far
    assert len(torch.unique(table, dim=0)) == GRID**2


def test_the_shape_is_clips(tmp_path: Path) -> None:
    config = create_tower_config(VisionRecipe())
    assert (config.image_size, config.patch_size) == (SIDE, SIDE // GRID)
    assert config.intermediate_size == 4 * config.hidden_size
