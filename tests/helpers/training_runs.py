"""What a training run leaves behind."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from safety_core.training.config import TrainConfig


def read_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Weights of the safety modules, by name."""
    return load_file(checkpoint / "safety.safetensors")


def read_log(config: TrainConfig) -> list[dict[str, Any]]:
    """Lines of the log of a run."""
    lines = (config.run_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
