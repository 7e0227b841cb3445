"""Loads and saves a Hugging Face LLaVA with its tokenizer and image processor; safetensors only, no missing tensor."""

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
from safety_core.model.backbones.judging_llava import JudgingLlava, shorten_config
from safety_core.model.backbones.registration import register_towers
from safety_core.model.checkpoint import hub
from safety_core.model.checkpoint.library_errors import convert_library_errors
from safety_core.model.checkpoint.quantization import Quantize, build_quantization_config, check_quantized
from safety_core.model.checkpoint.tensor_files import convert_to_storage
from safety_core.model.config import BackboneDims
from safety_core.model.device import pick_dtype
from safety_core.model.spec import BackboneRef
from safety_core.model.vision.tower import count_tower_positions

# Here, because every backbone that is loaded comes through this module; nothing else happens on importing it.
register_towers()

SHARD_SIZE = "15MB"
"""Maximum size of a weight file, small enough for any code host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """A LLaVA with its tokenizer and image processor."""

    model: LlavaForConditionalGeneration
    """The model, in evaluation mode."""

    tokenizer: PreTrainedTokenizerBase
    """Tokenizer of the model."""

    image_processor: BaseImageProcessor
    """PIL-based image processor of the model, which computes the same tensor on every machine."""


def load_backbone(
    source: str | Path,
    *,
    revision: str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    quantize: Quantize = "none",
    text_layers: int | None = None,
) -> Backbone:
    """Load a backbone from a folder or the hub.

    Args:
        source: folder in Hugging Face layout, or hub id.
        revision: commit of the hub repository, which is downloaded if it is not on this machine.
        device: device of the model.
        dtype: precision of the layers that are not quantised; :func:`pick_dtype` if None.
        quantize: precision of the language model's linear layers.
        text_layers: load only so many layers of the language model, and no output layer; None loads a model that can
            generate.

    Raises:
        CheckpointError: the folder cannot be read, or quantisation replaced the wrong layers.
        TensorKeyError: weights are missing or surplus.
        TensorShapeError: a weight does not fit the config.
    """
    precision = dtype or pick_dtype(device)
    folder = Path(source) if Path(source).is_dir() or revision is None else hub.fetch_repository(str(source), revision)
    quantization = build_quantization_config(quantize, precision)
    kind: type[LlavaForConditionalGeneration] = LlavaForConditionalGeneration
    config: LlavaConfig | None = None
    if text_layers is not None:
        kind, config = JudgingLlava, shorten_config(load_backbone_config(folder), text_layers)
    with convert_library_errors(f"the backbone {source} cannot be loaded"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
        # The annotation of from_pretrained ignores output_loading_info.
        loaded: Any = kind.from_pretrained(
            folder,
            config=config,
            dtype=precision,
            device_map={"": torch.device(device)},
            quantization_config=quantization,
            attn_implementation="sdpa",
            use_safetensors=True,
            # Reported below with both shapes, in one line.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            local_files_only=True,
        )
    model, info = loaded
    _check_loading(info, where=str(source))
    check_quantized(model, quantize)
    return Backbone(model=model.eval(), tokenizer=tokenizer, image_processor=image_processor)


def load_meta_backbone(folder: Path) -> LlavaForConditionalGeneration:
    """Load a backbone on the ``meta`` device: reads no weights, but checks the same as :func:`load_backbone`.

    Raises:
        CheckpointError: as :func:`load_backbone`.
    """
    # A progress bar would claim that weights are loaded.
    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return load_backbone(folder, device="meta").model
    finally:
        if was_enabled:
            logging.enable_progress_bar()


def load_backbone_config(source: str | Path, *, revision: str | None = None) -> LlavaConfig:
    """Read only a backbone's ``config.json``; raises CheckpointError if it is not a LLaVA's."""
    folder = Path(source) if Path(source).is_dir() or revision is None else hub.fetch_config(str(source), revision)
    with convert_library_errors(f"the backbone {source} has no readable config"):
        # Not LlavaConfig.from_pretrained, which returns the config of the 7B model if there is no file.
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if not isinstance(config, LlavaConfig):
        raise CheckpointError(f"the backbone {source} has the config of a {config.model_type}, not of a LLaVA")
    return config


def find_backbone(source: str | Path, revision: str | None = None) -> BackboneRef:
    """Find a folder, or a hub repository at the commit that ``revision`` (default: the main branch) names now.

    Raises:
        CheckpointError: neither such a folder nor such a repository exists.
    """
    if Path(source).is_dir():
        return BackboneRef(path=str(Path(source).resolve()))
    return BackboneRef(hub_id=str(source), revision=hub.resolve_commit(str(source), revision))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTokenizer:
    """A backbone's tokenizer and, if it has one, its chat template."""

    tokenizer: PreTrainedTokenizerBase
    chat_template: str | None
    """Jinja source; the processor's template, which supports images, takes precedence over the tokenizer's."""


def load_tokenizer(source: str | Path, *, revision: str | None = None) -> LoadedTokenizer:
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
    return LoadedTokenizer(tokenizer=tokenizer, chat_template=template or None)


def save_backbone(backbone: Backbone, folder: Path, *, dtype: torch.dtype = torch.float16) -> None:
    """Write a backbone that this project trained, in Hugging Face layout, with its processor.

    Raises:
        ValueError: a weight is not finite in ``dtype``.
    """
    convert_to_storage(backbone.model.state_dict(), dtype)  # raises before anything is written if a value overflows
    twin = copy.deepcopy(backbone.model)
    # transformers decorates its own Module.to with a signature that type checkers cannot follow.
    nn.Module.to(twin, dtype=dtype)
    parts: tuple[Any, ...] = (twin.config, twin.config.vision_config, twin.config.text_config)
    for part in parts:
        part.name_or_path = ""  # the config must not reveal folders of this machine
    twin.save_pretrained(folder, max_shard_size=SHARD_SIZE)
    config = backbone.model.config
    vision: Any = config.vision_config
    LlavaProcessor(
        image_processor=backbone.image_processor,
        tokenizer=backbone.tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        num_additional_image_tokens=count_tower_positions(config) - BackboneDims.read_config(config).patches,
    ).save_pretrained(folder)


def _check_loading(info: Mapping[str, Any], *, where: str) -> None:
    missing, surplus = sorted(info["missing_keys"]), sorted(info["unexpected_keys"])
    if missing or surplus:
        raise TensorKeyError(
            f"{where}: {len(missing)} tensors missing {missing[:4]}, {len(surplus)} surplus {surplus[:4]}"
        )
    for name, shape, expected in sorted(info["mismatched_keys"]):
        raise TensorShapeError(f"{where}: {name} has shape {tuple(shape)}, the config needs {tuple(expected)}")
