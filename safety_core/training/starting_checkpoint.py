"""The checkpoint that a training run starts from, and its device.

Knows nothing of samples, batches or optimizers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from safety_core.errors import ConfigError
from safety_core.inputs.chat_template import PromptTemplate, derive_template
from safety_core.lettering.readers import check_reader
from safety_core.model.checkpoint.backbone import find_backbone, load_backbone_config, load_tokenizer
from safety_core.model.checkpoint.checkpoint import SPEC_FILE, init_checkpoint
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.device import pick_device
from safety_core.model.spec import BackboneRef, parse_hints
from safety_core.strict_json import merge_mappings, read_json_object
from safety_core.taxonomy import read_taxonomy
from safety_core.training.config import TrainConfig
from safety_core.training.run_folder import START_DIR


def pick_training_device(config: TrainConfig) -> torch.device:
    """Pick the device to train on; raises ConfigError if this machine lacks what the config needs."""
    device = pick_device(config.device)
    if config.precision == "fp16" and device.type == "cpu":
        raise ConfigError("precision: fp16 needs a GPU; use bf16 or fp32")
    return device


def find_starting_checkpoint(config: TrainConfig, folder: Path) -> Path:
    """Find the checkpoint to start from; for a bare backbone, create one in the run folder.

    Raises:
        ConfigError: the config changes what a checkpoint determines, or stage 2 has no checkpoint to continue from.
        CheckpointError: there is no such backbone.
    """
    path = Path(config.backbone)
    if (path / SPEC_FILE).is_file():
        for name in ("taxonomy", "hints", "safety", "revision"):
            if getattr(config, name):
                raise ConfigError(f"{name}: {path.name} is a checkpoint and contains its own")
        if config.template != "auto":
            raise ConfigError(f"template: {path.name} is a checkpoint and contains its own")
        return path
    if config.stage == 2:
        raise ConfigError("backbone: stage 2 continues from a checkpoint of stage 1")
    start = folder / START_DIR
    if not start.exists():
        create_fresh_checkpoint(
            config.backbone,
            start,
            revision=config.revision,
            taxonomy=config.taxonomy,
            hints=config.hints,
            changes=config.safety,
            template=config.template,
            seed=config.seed,
        )
    return start


def create_fresh_checkpoint(
    backbone: str,
    out: Path,
    *,
    revision: str | None = None,
    taxonomy: str | Path | None = None,
    hints: str | Path | None = None,
    paper: bool = False,
    changes: Mapping[str, Any] | None = None,
    template: str = "auto",
    reader: str | None = None,
    include_backbone: bool = False,
    seed: int = 0,
) -> Path:
    """Create an untrained checkpoint from files and changes to a default shape.

    Args:
        backbone: folder in Hugging Face layout, or hub id.
        out: a directory that does not exist yet.
        revision: commit, tag or branch of a hub repository.
        taxonomy: JSON file; the default taxonomy where None.
        hints: JSON file with hints by type and level name; default hints where None.
        paper: start from the published shape instead of the designed one.
        changes: fields of the shape to change, at any depth.
        template: format of conversations, see :func:`choose_template`.
        reader: name of the reader of lettering that the modules will be trained with; None if there is none.
        include_backbone: copy the backbone's folder along.
        seed: seed of the initial weights.

    Raises:
        ConfigError: a file or a change is malformed.
        CheckpointError: there is no such backbone, or ``out`` exists.
    """
    source = find_backbone(backbone, revision)
    dims = BackboneDims.read_config(load_backbone_config(source.location, revision=source.revision))
    names = read_taxonomy(None if taxonomy is None else Path(taxonomy))
    return init_checkpoint(
        backbone,
        out,
        revision=revision,
        config=change_shape(
            SafetyConfig.create_paper_variant(dims) if paper else SafetyConfig.create_default(dims), changes or {}
        ),
        taxonomy=names,
        hints=None if hints is None else parse_hints(read_json_object(Path(hints)), names),
        prompt=choose_template(source, template),
        reader=None if reader is None else check_reader(reader),
        include_backbone=include_backbone,
        seed=seed,
    )


def choose_template(source: BackboneRef, template: str) -> PromptTemplate | None:
    """Choose the format of conversations that a backbone was trained on; None stands for LLaVA-1.5's.

    Args:
        source: location of the backbone.
        template: ``vicuna`` for LLaVA-1.5's, ``chat`` for the tokenizer's own chat template, ``auto`` for the
            tokenizer's if it has one, otherwise LLaVA-1.5's for a Llama whose tokenizer ends replies as Vicuna's does.

    Raises:
        ConfigError: there is no such template, or the format cannot be determined.
        CheckpointError: the backbone's config or tokenizer cannot be read.
    """
    if template not in ("auto", "vicuna", "chat"):
        raise ConfigError(f"template: must be one of ['auto', 'vicuna', 'chat'], got {template!r}")
    if template == "vicuna":
        return None
    words = load_tokenizer(source.location, revision=source.revision)
    config = load_backbone_config(source.location, revision=source.revision)
    advice = "name the format that it was trained on: --template vicuna for LLaVA-1.5's (USER: … ASSISTANT: …)"
    if words.chat_template is None:
        text: Any = config.text_config
        if template == "auto" and text.model_type == "llama" and words.tokenizer.eos_token == "</s>":
            return None
        raise ConfigError(f"template: the backbone has no chat template; {advice}")
    image_token = str(words.tokenizer.convert_ids_to_tokens(config.image_token_id))
    try:
        prompt_template = derive_template(words.tokenizer, words.chat_template, image_token)
    except ConfigError as exc:
        raise ConfigError(f"template: {exc}; {advice}") from exc
    return None if prompt_template.is_vicuna(str(words.tokenizer.bos_token)) else prompt_template


def change_shape(default: SafetyConfig, changes: Mapping[str, Any]) -> SafetyConfig:
    """Change fields of a module config, at any depth; raises ConfigError for a field that does not exist."""
    return SafetyConfig.parse(merge_mappings(default.to_dict(), changes))
