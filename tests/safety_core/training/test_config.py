from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import ConfigError, FieldError
from safety_core.training.config import TrainConfig

NEEDED: dict[str, Any] = {"backbone": "b", "data": ("d",), "out": "o"}


def test_the_run_folder_stands_beside_the_checkpoint() -> None:
    config = TrainConfig(**NEEDED | {"out": "weights/mine/"})
    assert config.run_path == Path("weights/mine.run")


@pytest.mark.parametrize(
    ("values", "place", "message"),
    [
        ({}, (), "the fields backbone, data and out are missing"),
        (NEEDED | {"lr": "fast"}, ("lr",), "lr: a number is needed"),
        (NEEDED | {"batch_size": 0}, ("batch_size",), "batch_size: a number greater than 0 is needed"),
        (NEEDED | {"speed": 3}, ("speed",), "speed: unknown field"),
        (NEEDED | {"data": (3,)}, ("data", "0"), "data.0: a string is needed"),
        (
            NEEDED | {"stage": 2, "train_parts": "head"},
            ("train_parts",),
            "train_parts: stage 2 trains the language model's LoRA; 'head' alone is stage 1",
        ),
    ],
)
def test_a_malformed_config_is_a_config_error(values: dict[str, Any], place: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError) as constructed:
        TrainConfig(**values)
    with pytest.raises(FieldError) as validated:
        TrainConfig.model_validate(values)
    assert str(constructed.value) == str(validated.value) == message
    assert validated.value.place == place
