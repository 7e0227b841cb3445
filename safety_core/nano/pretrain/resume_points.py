"""Working files of the nano's trainings: resume points of model, optimizers and step, and logs.

Resume points are replaced atomically and read by ``weights_only`` loading. None of these files ships.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

RESUME_FILE, LOG_FILE = "resume.bin", "log.jsonl"


def save_resume(path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], step: int) -> None:
    """Write a resume point; if the process is killed meanwhile, the old one remains."""
    state = {"model": model.state_dict(), "optimizers": [one.state_dict() for one in optimizers], "step": step}
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load_resume(path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> int:
    """Load a resume point if there is one, and return the next step (0 without a resume point)."""
    if not path.exists():
        return 0
    # Load onto the CPU, so that a point written on a GPU can be resumed without one.
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])


def append_log(path: Path, record: Mapping[str, float]) -> None:
    """Append a record to a log of JSON lines."""
    with path.open("a") as log:
        log.write(json.dumps(record) + "\n")
