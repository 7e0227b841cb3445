from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from torch import nn

from safety_core.nano.build.pipeline import image_processor
from safety_core.nano.pretrain import vision_tower as vision
from safety_core.nano.pretrain.resume_points import load_resume, save_resume
from safety_core.nano.pretrain.vision_tower import (
    HEADS,
    DenseTower,
    VisionRecipe,
    batches,
    dense_loss,
    patch_accuracy,
    schedule,
    sincos_positions,
    text_scene,
    thing_scene,
    to_pixels,
    tower_config,
    train_tower,
)
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.scene import GRID, SIDE
from safety_core.nano.world.vocabulary import VOCABULARY

TINY = VisionRecipe(hidden=16, layers=3, heads=2, steps=4, batch=2, warmup=1)
EMPTY = {name: torch.zeros(1, GRID**2, dtype=torch.long) for name in HEADS}


def logits_for(targets: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Logits that are sure of the targets."""
    found = {
        name: torch.nn.functional.one_hot(target.clamp(min=0), HEADS[name]).float() * 50
        for name, target in targets.items()
    }
    return {**found, "early_letter": found["letter"]}


def test_pixels_are_those_of_the_shipped_processor() -> None:
    pictures = [draw(thing_scene(Random(0))), draw(text_scene(Random(1), letters=True))]
    served = image_processor()(pictures, return_tensors="pt")["pixel_values"]
    assert served.shape == (2, 3, SIDE, SIDE)
    torch.testing.assert_close(to_pixels(pictures), served, rtol=0, atol=1e-5)


def test_batches_depend_on_the_step_alone() -> None:
    whole = list(islice(batches(TINY), 3))
    for pixels, targets in whole:
        assert pixels.shape == (TINY.batch, 3, SIDE, SIDE)
        assert {name: tuple(target.shape) for name, target in targets.items()} == dict.fromkeys(
            HEADS, (TINY.batch, GRID**2)
        )
    for step in (1, 2):
        pixels, targets = next(batches(TINY, first_step=step))
        assert torch.equal(pixels, whole[step][0])
        assert all(torch.equal(targets[name], whole[step][1][name]) for name in HEADS)
    assert not torch.equal(whole[0][0], whole[1][0])


def test_letters_of_unknown_words_do_not_teach_that_there_is_no_word() -> None:
    seen = 0
    for _, targets in islice(batches(VisionRecipe(batch=8)), 3):
        spelled = (targets["letter"] > 0) & (targets["word"] <= 0)
        seen += int(spelled.sum())
        assert (targets["word"][spelled] == -100).all()
        assert (targets["word"][targets["letter"] == 0] >= 0).all()
    assert seen > 50


def test_text_pictures_show_letters_first_and_words_later() -> None:
    letters, words = (
        [text_scene(Random(f"{index}"), letters=letters).lettering for index in range(30)] for letters in (True, False)
    )
    known = [
        [word in VOCABULARY for block in blocks if block is not None for line in block.lines for word in line]
        for blocks in (letters, words)
    ]
    assert np.mean(known[0]) < 0.1
    assert np.mean(known[1]) > 0.8


def test_logits_come_for_every_patch() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        logits = DenseTower(TINY)(torch.zeros(2, 3, SIDE, SIDE))
    shapes = {name: tuple(value.shape) for name, value in logits.items()}
    assert shapes == {name: (2, GRID**2, size) for name, size in (*HEADS.items(), ("early_letter", HEADS["letter"]))}


def test_neighbours_start_out_alike() -> None:
    table = sincos_positions(GRID, 32)
    assert table.shape == (GRID**2, 32)
    near, below, far = (torch.dot(table[0], table[other]) for other in (1, GRID, GRID**2 - 1))
    assert near > far
    assert below > far
    assert len(torch.unique(table, dim=0)) == GRID**2


def test_right_labels_cost_nothing_and_wrong_ones_do() -> None:
    targets = {name: target.clone() for name, target in EMPTY.items()}
    targets["thing"][0, 5] = 3
    assert dense_loss(logits_for(targets), targets) < 1e-3
    assert patch_accuracy(logits_for(targets), targets)["thing"] == 1.0
    wrong = logits_for(EMPTY)
    assert dense_loss(wrong, targets) > 1
    assert patch_accuracy(wrong, targets)["thing"] == 0.0


def test_ignored_patches_teach_nothing() -> None:
    targets = {name: target.clone() for name, target in EMPTY.items()}
    targets["word"][0, :50] = -100
    logits = logits_for(EMPTY)
    before = dense_loss(logits, targets)
    logits["word"][0, :50] = torch.randn(50, HEADS["word"]) * 9
    assert torch.equal(dense_loss(logits, targets), before)


def test_labels_may_live_beside_any_device() -> None:
    """Class weights follow the logits: on the meta device nothing of the CPU may take part."""
    targets = {name: target.to("meta") for name, target in EMPTY.items()}
    logits = {name: value.to("meta") for name, value in logits_for(EMPTY).items()}
    assert dense_loss(logits, targets).device.type == "meta"


def test_the_learning_rate_rises_holds_and_falls_to_zero() -> None:
    shares = [schedule(step, 100, 10) for step in range(101)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[10:60] == [1.0] * 50
    assert shares[80] == pytest.approx(0.5)
    assert shares[100] == 0.0


def test_the_shape_is_clips(tmp_path: Path) -> None:
    config = tower_config(VisionRecipe())
    assert (config.image_size, config.patch_size) == (SIDE, SIDE // GRID)
    assert config.intermediate_size == 4 * config.hidden_size


def test_a_killed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = list(islice(batches(TINY), TINY.steps))
    monkeypatch.setattr(vision, "batches", lambda recipe, first: iter(prepared[first:]))
    whole = train_tower(TINY, tmp_path / "whole").state_dict()

    # The loop saves every 200 steps; here it is made to save at the second one, and killed right behind it.
    running: list[tuple[Path, nn.Module, Sequence[torch.optim.Optimizer]]] = []

    def load(path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> int:
        running.append((path, model, optimizers))
        return load_resume(path, model, optimizers)

    def kill(step: int, steps: int) -> None:
        assert steps == TINY.steps
        if step == 2:
            save_resume(*running[0], step)
            raise KeyboardInterrupt

    monkeypatch.setattr(vision, "load_resume", load)
    with pytest.raises(KeyboardInterrupt):
        train_tower(TINY, tmp_path / "killed", progress=kill)
    steps: list[int] = []
    resumed = train_tower(TINY, tmp_path / "killed", progress=lambda step, _: steps.append(step)).state_dict()
    assert steps == [3, 4]
    assert list(resumed) == list(whole)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert (tmp_path / "killed" / "log.jsonl").read_text().count("\n") == 1


def test_a_finished_run_is_not_trained_on(tmp_path: Path) -> None:
    recipe = VisionRecipe(hidden=16, layers=3, heads=2, steps=1, batch=1, warmup=1)
    first = train_tower(recipe, tmp_path).state_dict()
    steps: list[int] = []
    again = train_tower(recipe, tmp_path, progress=lambda step, _: steps.append(step)).state_dict()
    assert steps == []
    assert all(torch.equal(again[name], first[name]) for name in first)
