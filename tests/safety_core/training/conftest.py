"""Models, samples and configs for tests of training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import Sample
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.taxonomy import DEFAULT_TAXONOMY
from safety_core.training.config import TrainConfig
from tests.helpers.models.tiny import fill_zero_parameters


@pytest.fixture(scope="session")
def samples(training_jsonl: Path) -> tuple[Sample, ...]:
    return read_jsonl(training_jsonl, DEFAULT_TAXONOMY).samples


@pytest.fixture
def model(untrained_checkpoint: Path) -> SafeLlava:
    """A model whose head says something, free to be changed."""
    loaded = load_checkpoint(untrained_checkpoint, allow_untrained=True)
    fill_zero_parameters(loaded)
    return loaded


@pytest.fixture
def config_for(untrained_checkpoint: Path, training_jsonl: Path, tmp_path: Path) -> Callable[..., TrainConfig]:
    """A config of a few quick steps, with changes."""

    def make(**changes: Any) -> TrainConfig:
        values: dict[str, Any] = {
            "backbone": str(untrained_checkpoint),
            "data": (str(training_jsonl),),
            "out": str(tmp_path / "out"),
            "max_steps": 4,
            "batch_size": 8,
            "grad_accum": 1,
            "lr": 1e-3,
            "lora_r": 2,
            "save_steps": 100,
            "log_steps": 1,
            "progress": False,
            "device": "cpu",
        }
        return TrainConfig(**values | changes)

    return make
