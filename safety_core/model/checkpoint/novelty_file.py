"""Reads and writes ``novelty.safetensors``: the aggregates by which a checkpoint recognises unfamiliar inputs."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from safety_core.errors import CheckpointError, TensorKeyError
from safety_core.model.checkpoint.tensor_files import read_shapes
from safety_core.model.config import BackboneDims
from safety_core.model.modules.novelty import QUANTILES, FamiliarInputs, NoveltyDetector

NOVELTY_FILE = "novelty.safetensors"

_PARTS = ("mean", "directions", "variance", "other_variance", "lengths", "distances", "tail")
_KINDS = ("texts", "images")


def write_novelty(detector: NoveltyDetector, file: Path) -> None:
    """Write a detector; the checkpoint's manifest must be rewritten afterwards."""
    tensors: dict[str, Tensor] = {}
    for kind, inputs in (("texts", detector.texts), ("images", detector.images)):
        values = (
            inputs.mean_D,
            inputs.directions_DR,
            inputs.variance_R,
            torch.tensor([inputs.other_variance]),
            torch.tensor(inputs.lengths_G),
            torch.from_numpy(inputs.distances_GQ),
            torch.from_numpy(inputs.tail_G),
        )
        for name, value in zip(_PARTS, values, strict=True):
            stored = value if name == "lengths" else value.float()
            tensors[f"{kind}.{name}"] = stored.contiguous().cpu()
    save_file(tensors, file)


def read_novelty(file: Path, dims: BackboneDims, device: str | torch.device = "cpu") -> NoveltyDetector:
    """Read a detector.

    Args:
        file: the file.
        dims: sizes of the backbone.
        device: device of the features that will be measured.

    Raises:
        TensorKeyError: a tensor is missing or surplus.
        CheckpointError: the tensors do not fit each other or the backbone, or a value is not usable.
    """
    check_novelty(file, dims)
    tensors = load_file(file)
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise CheckpointError(f"{file.name}: a value is not finite")
    return NoveltyDetector(texts=_build(tensors, "texts", device, file), images=_build(tensors, "images", device, file))


def check_novelty(file: Path, dims: BackboneDims) -> None:
    """Check names and shapes of the tensors without reading them; raises as :func:`read_novelty`."""
    shapes = read_shapes(file)
    if wrong := sorted({f"{kind}.{part}" for kind in _KINDS for part in _PARTS} ^ set(shapes)):
        raise TensorKeyError(f"{file.name}: missing or surplus tensors {wrong[:4]}")
    for kind, width in (("texts", dims.llm_width), ("images", dims.vision_width)):
        directions, groups = shapes[f"{kind}.variance"][:1], shapes[f"{kind}.lengths"][:1]
        expected = {
            "mean": (width,),
            "directions": (width, *directions),
            "variance": directions,
            "other_variance": (1,),
            "lengths": groups,
            "distances": (*groups, len(QUANTILES)),
            "tail": groups,
        }
        for part, shape in expected.items():
            if tuple(shapes[f"{kind}.{part}"]) != shape or 0 in shape:
                raise CheckpointError(f"{file.name}: {kind}.{part} has shape {shapes[f'{kind}.{part}']}, not {shape}")


def _build(tensors: dict[str, Tensor], kind: str, device: str | torch.device, file: Path) -> FamiliarInputs:
    mean, directions, variance, other, lengths, distances, tail = (tensors[f"{kind}.{part}"] for part in _PARTS)
    positive = bool((variance > 0).all()) and float(other) > 0 and bool((tail > 0).all())
    ascending = bool((distances.diff(dim=1) >= 0).all()) and bool((lengths.diff() > 0).all())
    if not (positive and ascending):
        raise CheckpointError(f"{file.name}: {kind}: variances must be positive, quantiles and lengths ascending")
    return FamiliarInputs(
        mean_D=mean.to(device),
        directions_DR=directions.to(device),
        variance_R=variance.to(device),
        other_variance=float(other),
        lengths_G=tuple(int(length) for length in lengths),
        distances_GQ=distances.numpy().astype(np.float64),
        tail_G=tail.numpy().astype(np.float64),
    )
