"""Resume points of the nano's own training loops: model, optimizers and step, replaced atomically.

They are working files of a build, read back by ``weights_only`` loading; nothing in them is ever shipped.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn


def save_resume(path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], step: int) -> None:
    """Write a resume point; a kill at any moment leaves the old one or the new one."""
    state = {"model": model.state_dict(), "optimizers": [one.state_dict() for one in optimizers], "step": step}
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load_resume(path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> int:
    """Load a resume point if there is one, and return the step to go on from (0 without one)."""
    if not path.exists():
        return 0
    # Onto the CPU first: a point that was written on a GPU also continues where there is none.
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])
