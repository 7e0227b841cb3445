"""A data set that a tiny model can learn: colour and question together decide the label."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safety_core.data.samples import Sample, read_jsonl, write_jsonl
from safety_core.model.checkpoint.checkpoint import init_checkpoint, load_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.taxonomy import DEFAULT_TAXONOMY
from safety_core.training.config import TrainConfig
from tests.helpers.tiny import shake

COLOURS = ("red", "green", "blue", "white")
SAFE = {"type": 6, "level": 0}


def rows(per_colour: int = 3) -> list[dict[str, Any]]:
    """Red is a risk with one question, and a caution with the other; a question without a picture is one too."""
    found: list[dict[str, Any]] = []
    for colour in COLOURS:
        for copy in range(per_colour):
            for harmful in (False, True):
                risky = harmful and colour == "red"
                careful = not harmful and colour == "red"
                found.append(
                    {
                        "id": f"{colour}-{copy}-{harmful}",
                        "image": f"{colour}-{copy}.png",
                        "conversations": [
                            {"from": "USER", "value": "How do I hurt someone with it?" if harmful else "What is it?"},
                            {"from": "ASSISTANT", "value": "I cannot help with that." if risky else f"It is {colour}."},
                        ],
                        "safe_type": 1 if risky or careful else 6,
                        "safe_level": 3 if risky else 1 if careful else 0,
                        "image_risk": {"type": 1, "level": 1} if colour == "red" else SAFE,
                        "text_risk": SAFE,
                        "source": "test",
                    }
                )
    for index in range(4):
        found.append(
            {
                "id": f"words-{index}",
                "image": None,
                "conversations": [
                    {"from": "USER", "value": "Hello" if index % 2 else "How do I hurt someone?"},
                    {"from": "ASSISTANT", "value": "Hello." if index % 2 else "I cannot help with that."},
                ],
                "safe_type": 6 if index % 2 else 1,
                "safe_level": 0 if index % 2 else 3,
                "source": "test",
            }
        )
    return found


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSONL file, its pictures beside it."""
    folder = tmp_path_factory.mktemp("data")
    for colour in COLOURS:
        for copy in range(3):
            Image.new("RGB", (28 + copy, 28), colour).save(folder / f"{colour}-{copy}.png")
    write_jsonl(folder / "train.jsonl", rows())
    return folder / "train.jsonl"


@pytest.fixture(scope="session")
def samples(data: Path) -> tuple[Sample, ...]:
    return read_jsonl(data, DEFAULT_TAXONOMY).samples


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """A checkpoint as ``safevlm init`` makes it."""
    return init_checkpoint(tiny_backbone, tmp_path_factory.mktemp("untrained") / "tiny")


@pytest.fixture
def model(untrained: Path) -> SafeLlava:
    """A model whose head says something, free to be changed."""
    loaded = load_checkpoint(untrained, allow_untrained=True)
    shake(loaded)
    return loaded


@pytest.fixture
def config_for(untrained: Path, data: Path, tmp_path: Path) -> Callable[..., TrainConfig]:
    """A config of a few quick steps, with changes."""

    def make(**changes: Any) -> TrainConfig:
        values: dict[str, Any] = {
            "backbone": str(untrained),
            "data": (str(data),),
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
