"""Converts a published EfficientNet-Lite to this project's tower: folds its batch norms and renames its tensors."""

from pathlib import Path

import torch
from torch import Tensor

from safety_core.errors import PartsError
from safety_core.model.backbones.efficientnet_lite import fold_batch_norm
from safety_core.model.backbones.efficientnet_lite_config import EfficientNetLiteConfig
from safety_core.model.checkpoint.tensor_files import convert_to_storage

_PREFIX = "vision_tower."
_EPSILON = 1e-3
"""Number that the published batch norms add to the variance."""


def convert_tower(file: Path, config: EfficientNetLiteConfig) -> dict[str, Tensor]:
    """Convert a torch file with the published names to 16 bit, by their names in a LLaVA's files.

    Raises:
        PartsError: the file contains other things than tensors, or a tensor is missing or surplus.
    """
    try:
        published = dict(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as exc:  # unpickling raises almost anything
        raise PartsError(f"{file.name} is not a file of tensors ({type(exc).__name__})") from exc
    tensors: dict[str, Tensor] = {}

    def take(name: str) -> Tensor:
        try:
            tensor: Tensor = published.pop(name).double()
        except KeyError as exc:
            raise PartsError(f"{file.name}: the tensor {name} is missing") from exc
        return tensor

    def convert_layer(ours: str, conv: str, norm: str) -> None:
        weight, bias = fold_batch_norm(
            take(f"{conv}.weight"),
            scale=take(f"{norm}.weight"),
            shift=take(f"{norm}.bias"),
            mean=take(f"{norm}.running_mean"),
            variance=take(f"{norm}.running_var"),
            epsilon=_EPSILON,
        )
        published.pop(f"{norm}.num_batches_tracked", None)
        tensors[f"{_PREFIX}{ours}.weight"], tensors[f"{_PREFIX}{ours}.bias"] = weight, bias

    convert_layer("stem", "_conv_stem", "_bn0")
    number = 0
    for stage, repeats in enumerate(config.stage_repeats):
        for block in range(repeats):
            ours, theirs = f"stages.{stage}.{block}", f"_blocks.{number}"
            if f"{theirs}._expand_conv.weight" in published:
                convert_layer(f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
            convert_layer(f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
            convert_layer(f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
            number += 1
    convert_layer("head", "_conv_head", "_bn1")
    for name in ("weight", "bias"):
        tensors[f"{_PREFIX}classifier.{name}"] = take(f"_fc.{name}")
    if published:
        raise PartsError(f"{file.name}: {len(published)} unknown tensors {sorted(published)[:4]}")
    return convert_to_storage(tensors, torch.float16)
