import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import safety_core
from safety_core.data.samples import Sample
from safety_core.model.checkpoint.checkpoint import CARD_FILE, POLICY_FILE, load_checkpoint, update_policy, verify
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY
from safety_core.training.config import TrainConfig
from safety_core.training.trained_checkpoint import save_trained_checkpoint

STRICT = replace(Policy.create_default(DEFAULT_TAXONOMY), fallback_refusal="No.")


@pytest.fixture
def start(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A trained checkpoint with a policy of its own."""
    shutil.copytree(tiny_checkpoint, tmp_path / "start")
    update_policy(tmp_path / "start", STRICT)
    return tmp_path / "start"


@pytest.fixture
def save(
    start: Path, samples: tuple[Sample, ...], config_for: Callable[..., TrainConfig], tmp_path: Path
) -> Callable[..., Path]:
    """Save a checkpoint with other tokens, with changes of the config; returns its folder."""

    def save_changed(*, trained: bool = True, **changes: Any) -> Path:
        model, out = load_checkpoint(start), tmp_path / "out"
        tokens = model.safety.llm_tokens_SD
        assert tokens is not None
        with torch.no_grad():
            tokens.fill_(0.5)
        config = config_for(**changes)
        metrics = {"eval_type_loss": 0.25}
        save_trained_checkpoint(model, config, out, start, samples, steps=12, metrics=metrics, trained=trained)
        return out

    return save_changed


def test_a_sound_checkpoint_holds_what_was_learned_and_the_policy_of_the_start(save: Callable[..., Path]) -> None:
    out = save()
    assert verify(out).spec.trained
    assert load_policy(out / POLICY_FILE, DEFAULT_TAXONOMY) == STRICT
    tokens = load_checkpoint(out).safety.llm_tokens_SD
    assert tokens is not None
    assert set(tokens.flatten().tolist()) == {0.5}


def test_the_provenance_says_how_and_from_what_it_was_trained(save: Callable[..., Path], training_jsonl: Path) -> None:
    provenance = verify(save(grad_accum=3, lr=2e-3, lr_lm=5e-3, seed=7, train_parts="lm")).spec.provenance
    digest = hashlib.sha256(training_jsonl.read_bytes()).hexdigest()
    assert provenance == {
        "trained": True,
        "stage": 1,
        "train_parts": "lm",
        "steps": 12,
        "samples": 28,
        "data": [{"name": "train.jsonl", "sha256": digest}],
        "seed": 7,
        "batch": 24,
        "lr": 2e-3,
        "lr_lm": 5e-3,
        "precision": "fp32",
        "code": safety_core.__version__,
        "eval": {"eval_type_loss": 0.25},
        "from": {"trained": True, "how": "at random, for tests"},
    }


def test_modules_that_were_not_trained_do_not_count_as_trained(save: Callable[..., Path]) -> None:
    assert not verify(save(trained=False)).spec.trained


def test_the_card_warns_and_shows_the_settings(save: Callable[..., Path]) -> None:
    card = (save() / CARD_FILE).read_text(encoding="utf-8")
    assert card.startswith("# out\n")
    assert "Not evaluated and not calibrated yet" in card
    assert "| steps | 12 |" in card
    assert "| eval | {'eval_type_loss': 0.25} |" in card


def test_no_file_tells_where_the_data_lay(save: Callable[..., Path], training_jsonl: Path) -> None:
    files = [path for path in save().iterdir() if path.is_file()]
    assert files
    assert not [path for path in files if str(training_jsonl.parent).encode() in path.read_bytes()]


@pytest.mark.parametrize("include", [False, True])
def test_the_backbone_is_copied_only_if_asked_for(save: Callable[..., Path], include: bool) -> None:
    out = save(include_backbone=include)
    assert verify(out).ships_backbone is include
    path = json.loads((out / "safevlm.json").read_text(encoding="utf-8"))["backbone"]["path"]
    assert (out / path / "config.json").is_file()
