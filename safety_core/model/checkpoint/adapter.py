"""Attaches, loads and saves a LoRA adapter of the language model, in PEFT's file layout.

The adapter wraps ``backbone.model.language_model``; vision tower, projector and safety modules never have an adapter.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from safety_core.errors import CheckpointError, ConfigError
from safety_core.model.checkpoint.library_errors import convert_library_errors, keep_offline
from safety_core.model.checkpoint.tensor_files import Shapes, check_tensors, convert_to_storage, read_shapes

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"

_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")


def attach_adapter(backbone: LlavaForConditionalGeneration, config: LoraConfig) -> PeftModel:
    """Wrap the language model in a new, trainable LoRA; raises ConfigError if it already has one."""
    if get_adapter(backbone) is not None:
        raise ConfigError("the language model already has an adapter")
    # PEFT's annotation demands a causal model, but a decoder without a head works as well.
    language_model: Any = backbone.model.language_model
    with keep_offline():
        wrapped = get_peft_model(language_model, config)
    assert isinstance(wrapped, PeftModel)
    backbone.model.language_model = wrapped
    return wrapped


def get_adapter(backbone: LlavaForConditionalGeneration) -> PeftModel | None:
    """Return the language model's adapter, or None."""
    language_model = backbone.model.language_model
    return language_model if isinstance(language_model, PeftModel) else None


def merge_adapter(backbone: LlavaForConditionalGeneration) -> None:
    """Merge the adapter, if any, into the language model's weights."""
    adapter = get_adapter(backbone)
    if adapter is not None:
        backbone.model.language_model = adapter.merge_and_unload()


def save_adapter(adapter: PeftModel, folder: Path, dtype: torch.dtype) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors`` in 16 or 32 bit."""
    folder.mkdir(parents=True)
    config = adapter.peft_config[adapter.active_adapter]
    config.inference_mode = True
    # safevlm.json names the backbone; a path of the training machine must not be published.
    config.base_model_name_or_path = None
    with keep_offline():
        config.save_pretrained(str(folder))
    save_file(convert_to_storage(_get_tensors(adapter), dtype), folder / WEIGHTS_FILE)


def load_adapter(backbone: LlavaForConditionalGeneration, folder: Path, *, trainable: bool = False) -> PeftModel:
    """Load an adapter onto the language model.

    Raises:
        CheckpointError: the config is malformed, is not a LoRA's, or does not fit the language model.
        TensorKeyError: a tensor is missing or surplus.
        TensorShapeError: a tensor has another shape.
    """
    shapes = read_shapes(folder / WEIGHTS_FILE)
    config = read_adapter_config(folder)
    config.inference_mode = not trainable
    adapter = _attach(backbone, config, folder)
    check_adapter_tensors(adapter, shapes, folder)
    with keep_offline():
        set_peft_model_state_dict(adapter, load_file(folder / WEIGHTS_FILE))
    return adapter


def check_adapter(meta_backbone: LlavaForConditionalGeneration, folder: Path) -> None:
    """Compare an adapter's files with a backbone on the ``meta`` device, to which the adapter is then attached.

    Raises:
        CheckpointError: as :func:`load_adapter`.
    """
    shapes = read_shapes(folder / WEIGHTS_FILE)
    config = read_adapter_config(folder)
    # Initialisation does not change shapes, and some methods would read the backbone's weights.
    config.init_lora_weights = False
    with torch.device("meta"):
        adapter = _attach(meta_backbone, config, folder)
    check_adapter_tensors(adapter, shapes, folder)


def check_adapted_layers(folder: Path, prompt_layers: int) -> None:
    """Raise CheckpointError if an adapter changes one of the first layers, whose states the safety head reads."""
    numbers = (_LAYER.search(name) for name in read_shapes(folder / WEIGHTS_FILE))
    lowest = min((int(found[1]) for found in numbers if found), default=prompt_layers)
    if lowest < prompt_layers:
        raise CheckpointError(
            f"{folder.name}: the adapter changes layer {lowest}, but the head reads the first {prompt_layers} layers"
        )


def read_adapter_config(folder: Path) -> LoraConfig:
    """Read ``adapter_config.json``; raises CheckpointError if it does not describe a LoRA."""
    if not (folder / CONFIG_FILE).is_file():
        raise CheckpointError(f"{folder.name}: {CONFIG_FILE} is missing")
    with convert_library_errors(f"{folder.name}: {CONFIG_FILE} is malformed"):
        config = LoraConfig.from_pretrained(str(folder))
    if not isinstance(config, LoraConfig):
        raise CheckpointError(f"{folder.name}: {CONFIG_FILE} does not describe a LoRA")
    return config


def _attach(backbone: LlavaForConditionalGeneration, config: LoraConfig, folder: Path) -> PeftModel:
    with convert_library_errors(f"{folder.name}: {CONFIG_FILE} does not fit the language model"):
        return attach_adapter(backbone, config)


def check_adapter_tensors(adapter: PeftModel, shapes: Shapes, folder: Path) -> None:
    """Compare an adapter's tensors with those of its file; raises TensorKeyError or TensorShapeError."""
    check_tensors(
        shapes,
        {name: tuple(tensor.shape) for name, tensor in _get_tensors(adapter).items()},
        where=f"{folder.name}/{WEIGHTS_FILE}",
    )


def _get_tensors(adapter: PeftModel) -> Mapping[str, Tensor]:
    """Return the adapter's tensors by their names in the file.

    Embeddings are excluded, because the backbone's files contain them. By default, PEFT requests the config of the
    model named in the language model's config from the hub, and mistakes a different vocabulary size for trained
    embeddings.
    """
    with keep_offline():
        tensors: Mapping[str, Tensor] = get_peft_model_state_dict(adapter, save_embedding_layers=False)
    return tensors
