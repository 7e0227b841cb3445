from itertools import islice
from random import Random

import numpy as np
import torch

from safety_core.nano.pretrain.recipes import VisionRecipe
from safety_core.nano.pretrain.vision.batches import generate_batches, sample_text_scene
from safety_core.nano.pretrain.vision.tower import (
    HEADS,
)
from safety_core.nano.world.scene import GRID, SIDE
from safety_core.nano.world.vocabulary import VOCABULARY

TINY = VisionRecipe(hidden=16, layers=3, heads=2, steps=4, batch=2, warmup=1)


def test_batches_depend_on_the_step_alone() -> None:
    whole = list(islice(generate_batches(TINY), 3))
    for pixels, targets in whole:
        assert pixels.shape == (TINY.batch, 3, SIDE, SIDE)
        assert {name: tuple(target.shape) for name, target in targets.items()} == dict.fromkeys(
            HEADS, (TINY.batch, GRID**2)
        )
    for step in (1, 2):
        pixels, targets = next(generate_batches(TINY, first_step=step))
        assert torch.equal(pixels, whole[step][0])
        assert all(torch.equal(targets[name], whole[step][1][name]) for name in HEADS)
    assert not torch.equal(whole[0][0], whole[1][0])


def test_letters_of_unknown_words_do_not_teach_that_there_is_no_word() -> None:
    seen = 0
    for _, targets in islice(generate_batches(VisionRecipe(batch=8)), 3):
        spelled = (targets["letter"] > 0) & (targets["word"] <= 0)
        seen += int(spelled.sum())
        assert (targets["word"][spelled] == -100).all()
        assert (targets["word"][targets["letter"] == 0] >= 0).all()
    assert seen > 50


def test_text_pictures_show_letters_first_and_words_later() -> None:
    letters, words = (
        [sample_text_scene(Random(f"{index}"), letters=letters).lettering for index in range(30)]
        for letters in (True, False)
    )
    known = [
        [word in VOCABULARY for block in blocks if block is not None for line in block.lines for word in line]
        for blocks in (letters, words)
    ]
    assert np.mean(known[0]) < 0.1
    assert np.mean(known[1]) > 0.8
