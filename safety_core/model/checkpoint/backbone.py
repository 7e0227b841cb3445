"""A Hugging Face LLaVA and its processor parts, from and to disk: safetensors only, every tensor accounted for."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoTokenizer,
    BaseImageProcessor,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from safety_core.errors import CheckpointError, TensorKeyError, TensorShapeError
from safety_core.files import read_text
from safety_core.model.checkpoint import hub
from safety_core.model.checkpoint.library_errors import convert_library_errors
from safety_core.model.checkpoint.quantization import Quantize, build_quantization_config, check_quantized
from safety_core.model.checkpoint.tensor_files import convert_to_storage
from safety_core.model.config import BackboneDims
from safety_core.model.spec import BackboneRef
from safety_core.model.vision.tower import count_tower_positions

SHARD_SIZE = "15MB"
"""Largest weight file: small enough for any code host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """A LLaVA with what turns text and pictures into its inputs."""

    model: LlavaForConditionalGeneration
    """The model, in evaluation mode."""

    tokenizer: PreTrainedTokenizerBase
    """Its tokenizer."""

    image_processor: BaseImageProcessor
    """Its image processor, always the PIL one: the same picture gives the same tensor on every machine."""


def default_dtype(device: str | torch.device) -> torch.dtype:
    """Full precision on the CPU, where 16-bit arithmetic is slow and coarse; bfloat16 elsewhere."""
    return torch.float32 if torch.device(device).type == "cpu" else torch.bfloat16


def load_backbone(
    source: str | Path,
    *,
    revision: str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    quantize: Quantize = "none",
) -> Backbone:
    """Load a backbone from a folder or the hub.

    Args:
        source: folder in Hugging Face layout, or hub id.
        revision: commit of the hub repository, which is downloaded if it is not on this machine.
        device: where it runs.
        dtype: precision of what is not quantised; :func:`default_dtype` where None.
        quantize: precision of the language model's linear layers.

    Raises:
        CheckpointError: the folder cannot be read, or quantisation went elsewhere than it should.
        TensorKeyError: weights are missing or surplus.
        TensorShapeError: a weight does not fit the config.
    """
    precision = dtype or default_dtype(device)
    folder = Path(source) if Path(source).is_dir() or revision is None else hub.fetch_repository(str(source), revision)
    quantization = build_quantization_config(quantize, precision)
    with convert_library_errors(f"the backbone {source} cannot be loaded"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
        # Typed as the model alone, whatever output_loading_info says.
        loaded: Any = LlavaForConditionalGeneration.from_pretrained(
            folder,
            dtype=precision,
            device_map={"": torch.device(device)},
            quantization_config=quantization,
            attn_implementation="sdpa",
            use_safetensors=True,
            # Reported below with both shapes, instead of an error of many pages.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            local_files_only=True,
        )
    model, info = loaded
    _check_loading(info, where=str(source))
    check_quantized(model, quantize)
    return Backbone(model=model.eval(), tokenizer=tokenizer, image_processor=image_processor)


def load_meta_backbone(folder: Path) -> LlavaForConditionalGeneration:
    """A backbone on the ``meta`` device: whatever :func:`load_backbone` would refuse is refused, and no weight is read.

    Raises:
        CheckpointError: as :func:`load_backbone`.
    """
    # No bar: it would say that weights are being loaded.
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return load_backbone(folder, device="meta").model
    finally:
        if shown:
            logging.enable_progress_bar()


def load_backbone_config(source: str | Path, *, revision: str | None = None) -> LlavaConfig:
    """Read only ``config.json``; raises CheckpointError if it is not a LLaVA's."""
    folder = Path(source) if Path(source).is_dir() or revision is None else hub.fetch_config(str(source), revision)
    with convert_library_errors(f"the backbone {source} has no readable config"):
        # Not LlavaConfig.from_pretrained: where there is no file it quietly returns the config of the 7B model.
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if not isinstance(config, LlavaConfig):
        raise CheckpointError(f"the backbone {source} has the config of a {config.model_type}, not of a LLaVA")
    return config


def find_backbone(source: str | Path, revision: str | None = None) -> BackboneRef:
    """A folder as it is; a hub id with the commit that ``revision`` (default: the main branch) stands for today.

    Raises:
        CheckpointError: there is neither such a folder nor such a repository.
    """
    if Path(source).is_dir():
        return BackboneRef(path=str(Path(source).resolve()))
    return BackboneRef(hub_id=str(source), revision=hub.resolve_commit(str(source), revision))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTokenizer:
    """A backbone's tokenizer and, if it has one, its chat template."""

    tokenizer: PreTrainedTokenizerBase
    chat_template: str | None
    """In Jinja; the processor's, which knows pictures, before the tokenizer's."""


def load_chat_tokenizer(source: str | Path, *, revision: str | None = None) -> ChatTokenizer:
    """Read a backbone's tokenizer and chat template; raises CheckpointError if the tokenizer cannot be loaded."""
    folder = Path(source) if Path(source).is_dir() or revision is None else hub.fetch_settings(str(source), revision)
    with convert_library_errors(f"the backbone {source} has no readable tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        own = tokenizer.chat_template
        template = own.get("default") if isinstance(own, dict) else own
        for name in ("chat_template.jinja", "chat_template.json"):
            if (folder / name).is_file():
                text = read_text(folder / name)
                template = json.loads(text)["chat_template"] if name.endswith(".json") else text
    return ChatTokenizer(tokenizer=tokenizer, chat_template=template or None)


def save_backbone(backbone: Backbone, folder: Path, *, dtype: torch.dtype = torch.float16) -> None:
    """Write a backbone that was trained here in Hugging Face layout, with its processor.

    Raises:
        ValueError: a weight is not finite in ``dtype``.
    """
    convert_to_storage(backbone.model.state_dict(), dtype)  # refuses what would overflow, before anything is written
    twin = copy.deepcopy(backbone.model)
    # nn.Module.to in all but name: transformers decorates its own with a signature that types cannot follow.
    nn.Module.to(twin, dtype=dtype)
    parts: tuple[Any, ...] = (twin.config, twin.config.vision_config, twin.config.text_config)
    for part in parts:
        part.name_or_path = ""  # else the config would tell from which folder of this machine a part was loaded
    twin.save_pretrained(folder, max_shard_size=SHARD_SIZE)
    config = backbone.model.config
    vision: Any = config.vision_config
    LlavaProcessor(
        image_processor=backbone.image_processor,
        tokenizer=backbone.tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        num_additional_image_tokens=count_tower_positions(config) - BackboneDims.parse_config(config).patches,
    ).save_pretrained(folder)


def _check_loading(info: Mapping[str, Any], *, where: str) -> None:
    missing, surplus = sorted(info["missing_keys"]), sorted(info["unexpected_keys"])
    if missing or surplus:
        raise TensorKeyError(
            f"{where}: {len(missing)} tensors missing {missing[:4]}, {len(surplus)} surplus {surplus[:4]}"
        )
    for name, found, expected in sorted(info["mismatched_keys"]):
        raise TensorShapeError(f"{where}: {name} has shape {tuple(found)}, the config asks for {tuple(expected)}")
