"""The prompt adapter: a LoRA on a copy of the language model's first layers, through which the head reads texts.

The frozen layers predict words; the adapter makes them read for risk. It works on a copy, so that the language model
generates as before. Loaded checkpoints merge it into the copy: reading costs what it costs without. PEFT's file layout.
"""

import copy
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import set_peft_model_state_dict
from safetensors.torch import load_file
from torch import nn
from transformers import LlavaForConditionalGeneration

from safety_core.errors import CheckpointError, ConfigError
from safety_core.model.checkpoint.adapter import WEIGHTS_FILE, check_adapter_tensors, read_adapter_config
from safety_core.model.checkpoint.library_errors import convert_library_errors, keep_offline
from safety_core.model.checkpoint.tensor_files import read_shapes
from safety_core.model.prompt_reader import get_decoder, take_first_layers


def attach_prompt_adapter(
    backbone: LlavaForConditionalGeneration, layers: int, config: LoraConfig, *, in_place: bool = False
) -> PeftModel:
    """Wrap a copy of the language model's first ``layers`` in a new LoRA; raises ConfigError if there are none.

    The embeddings are shared with the language model, the layers are not.

    Args:
        backbone: the LLaVA.
        layers: number of its layers.
        config: shape of the LoRA.
        in_place: wrap the layers themselves, which then fit for reading only.
    """
    if not layers:
        raise ConfigError("a prompt adapter needs config.prompt_layers above 0")
    copied: Any = take_first_layers(get_decoder(backbone), layers)
    if not in_place:
        copied.layers = copy.deepcopy(copied.layers)
    with keep_offline():
        wrapped = get_peft_model(copied, config)
    assert isinstance(wrapped, PeftModel)
    return wrapped


def load_prompt_adapter(
    backbone: LlavaForConditionalGeneration,
    layers: int,
    folder: Path,
    *,
    merge: bool,
    trainable: bool = False,
    in_place: bool = False,
) -> nn.Module:
    """Load a prompt adapter.

    Args:
        backbone: the LLaVA whose first layers are copied.
        layers: number of these layers.
        folder: the adapter's files.
        merge: merge the adapter into the copy, which is then returned alone; not for quantised layers.
        trainable: whether an adapter that is not merged learns.
        in_place: adapt the layers themselves instead of a copy, if the language model generates nothing.

    Raises:
        CheckpointError: the config is malformed, is not a LoRA's, or does not fit the layers.
        TensorKeyError: a tensor is missing or surplus.
        TensorShapeError: a tensor has another shape.
    """
    adapter = _attach_checked(backbone, layers, folder, trainable=trainable, in_place=in_place)
    with keep_offline():
        set_peft_model_state_dict(adapter, load_file(folder / WEIGHTS_FILE))
    if not merge:
        return adapter
    merged: nn.Module = adapter.merge_and_unload()
    return merged


def check_prompt_adapter(meta_backbone: LlavaForConditionalGeneration, layers: int, folder: Path) -> None:
    """Compare the adapter's files with a backbone on the ``meta`` device.

    Raises:
        CheckpointError: as :func:`load_prompt_adapter`.
    """
    with torch.device("meta"):
        _attach_checked(meta_backbone, layers, folder, trainable=False)


def _attach_checked(
    backbone: LlavaForConditionalGeneration, layers: int, folder: Path, *, trainable: bool, in_place: bool = False
) -> PeftModel:
    shapes = read_shapes(folder / WEIGHTS_FILE)
    config = read_adapter_config(folder)
    config.inference_mode = not trainable
    # The values are replaced by those of the file; some methods of initialisation would read the backbone's weights.
    config.init_lora_weights = False
    with convert_library_errors(f"{folder.name}: the adapter does not fit the language model"):
        try:
            adapter = attach_prompt_adapter(backbone, layers, config, in_place=in_place)
        except ConfigError as exc:
            raise CheckpointError(f"{folder.name}: {exc}") from exc
    check_adapter_tensors(adapter, shapes, folder)
    return adapter
