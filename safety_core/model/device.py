"""Selects the torch device for a name given on the command line or in a configuration file, and its precision."""

from typing import Any

import torch

from safety_core.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """Return the device of that name; ``auto`` is the first GPU if CUDA is available, otherwise the CPU.

    Raises:
        ConfigError: torch does not know the name, or CUDA is not available on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as exc:
        raise ConfigError(f"device: {name!r} is not a device") from exc
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device: {name!r} is not available, this machine has no CUDA device")
    return device


def pick_dtype(device: str | torch.device) -> torch.dtype:
    """Return float32 for the CPU, where 16-bit arithmetic is slow and inexact, and bfloat16 for other devices."""
    return torch.float32 if torch.device(device).type == "cpu" else torch.bfloat16


def multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions that multiply bfloat16; without them, float32 is many times faster."""
    cpu: Any = torch.cpu
    return bool(cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())
