from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import nn

from safety_core.nano.pretrain.recipes import VisionRecipe
from safety_core.nano.pretrain.resume_points import load_resume, save_resume
from safety_core.nano.pretrain.vision import training
from safety_core.nano.pretrain.vision.batches import generate_batches
from safety_core.nano.pretrain.vision.training import schedule_learning_rate, train_tower

TINY = VisionRecipe(hidden=16, layers=3, heads=2, steps=4, batch=2, warmup=1)


def test_the_learning_rate_rises_holds_and_falls_to_zero() -> None:
    shares = [schedule_learning_rate(step, 100, 10) for step in range(101)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[10:60] == [1.0] * 50
    assert shares[80] == pytest.approx(0.5)
    assert shares[100] == 0.0


def test_a_killed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = list(islice(generate_batches(TINY), TINY.steps))
    monkeypatch.setattr(training, "generate_batches", lambda recipe, first: iter(prepared[first:]))
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

    monkeypatch.setattr(training, "load_resume", load)
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
