"""Reads names and shapes of tensors in safetensors files, to check them before any tensor is loaded."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from safety_core.errors import IntegrityError, TensorKeyError, TensorShapeError

Shapes = Mapping[str, tuple[int, ...]]


def read_shapes(file: Path) -> Shapes:
    """Read names and shapes from a file's header; raises IntegrityError if it is not a safetensors file."""
    try:
        with safe_open(file, framework="pt") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as exc:
        raise IntegrityError(f"{file.name} cannot be read as safetensors") from exc


def check_tensors(found: Shapes, expected: Shapes, *, where: str) -> None:
    """Compare the tensors of a file with the expected ones.

    Raises:
        TensorKeyError: names are missing or surplus; the message names up to four of each.
        TensorShapeError: a shape differs; the message gives both.
    """
    missing, surplus = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or surplus:
        raise TensorKeyError(
            f"{where}: {len(missing)} tensors missing {missing[:4]}, {len(surplus)} surplus {surplus[:4]}"
        )
    for name, shape in expected.items():
        if found[name] != shape:
            raise TensorShapeError(f"{where}: {name} has shape {found[name]}, the config needs {shape}")


def convert_to_storage(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Copy tensors to the CPU in the stored precision.

    Raises:
        ValueError: a value is not finite, or becomes infinite in that precision.
    """
    stored = {name: tensor.detach().to("cpu", dtype).contiguous().clone() for name, tensor in tensors.items()}
    broken = sorted(name for name, tensor in stored.items() if not bool(tensor.isfinite().all()))
    if broken:
        raise ValueError(f"{len(broken)} tensors are not finite in {dtype}: {broken[:4]}")
    return stored
