"""Before a run starts: whose run folder it is, on which device, and from which checkpoint.

Knows nothing of samples, batches or optimizers.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from safety_core.errors import ConfigError, SampleError
from safety_core.files import read_json, why_unreadable
from safety_core.inputs.chat_template import PromptTemplate, derive_template
from safety_core.model.checkpoint.backbone import find_backbone, load_backbone_config, load_chat_tokenizer
from safety_core.model.checkpoint.checkpoint import SPEC_FILE, init_checkpoint
from safety_core.model.checkpoint.manifest import MANIFEST
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.device import pick_device
from safety_core.model.spec import BackboneRef, parse_hints
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from safety_core.training.config import TrainConfig

CONFIG_FILE = "train-run.json"
START_DIR = "start"
STATES_DIR = "states"
TENSORBOARD_DIR = "tensorboard"
LOG_FILE = "log.jsonl"

_RECORDS = ("data", "eval_data")
"""Fields that name files of records."""

_NAMES_FILES = ("taxonomy", "hints")
"""Fields that name a file whose content goes into the start of a run."""

_FREE_TO_CHANGE = frozenset({"progress", "log_steps", "save_steps", "workers", "tensorboard", "run_dir"})
"""Fields that a resumed run may change: they do not touch the result."""


def claim(folder: Path, config: TrainConfig, *, resumable: bool) -> None:
    """Make the run folder this config's; what another run left there goes, unless that run could be resumed.

    Compared are the settings and the content of what they name: records, taxonomy, hints and the checkpoint to start
    from. Pictures and the weights of a bare backbone are not; they are taken for what they were.

    Raises:
        ConfigError: a run with another config or other files waits there to be resumed.
    """
    wanted = {name: value for name, value in config.to_dict().items() if name not in _FREE_TO_CHANGE}
    wanted |= {f"{name}_sha256": [file_sha256(Path(file)) for file in getattr(config, name)] for name in _RECORDS}
    wanted |= {f"{name}_sha256": _sha256_or_none(getattr(config, name)) for name in _NAMES_FILES}
    # A checkpoint's manifest vouches for all of its files; a bare backbone has none, and is never written to.
    wanted["backbone_sha256"] = _sha256_or_none(str(Path(config.backbone) / MANIFEST))
    text, file = json.dumps(wanted, indent=2), folder / CONFIG_FILE
    if file.exists():
        found, asked = json.loads(file.read_text(encoding="utf-8")), json.loads(text)
        differing = sorted(name for name in {*found, *asked} if found.get(name) != asked.get(name))
        if not differing:
            return
        if resumable:
            raise ConfigError(
                f"run_dir: {folder} holds an unfinished run with another {', '.join(differing)}; "
                "finish it, or remove the folder to start anew"
            )
        for ours in (START_DIR, STATES_DIR):
            shutil.rmtree(folder / ours, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n", encoding="utf-8")


def release(folder: Path, *, resumable: bool) -> None:
    """Remove the files of a failed run from its folder, unless the run can be resumed.

    Other files stay, and so does the folder if it contains any.
    """
    if resumable or not (folder / CONFIG_FILE).is_file():
        return
    for name in (START_DIR, STATES_DIR, TENSORBOARD_DIR):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (CONFIG_FILE, LOG_FILE):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def file_sha256(file: Path) -> str:
    """Digest of a data file; raises SampleError if it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as exc:
        raise SampleError(f"the file {why_unreadable(exc)}", file=str(file), line=0, field="file") from exc


def _sha256_or_none(file: str | None) -> str | None:
    """Digest of a file; None where there is none to read, which :func:`starting_point` complains about."""
    try:
        return None if file is None else hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return None


def device_for(config: TrainConfig) -> torch.device:
    """Where to train; raises ConfigError if the config asks for what this machine has not."""
    device = pick_device(config.device)
    if config.precision == "fp16" and device.type == "cpu":
        raise ConfigError("precision: fp16 needs a GPU; use bf16 or fp32")
    return device


def starting_point(config: TrainConfig, folder: Path) -> Path:
    """The checkpoint to start from; for a bare backbone a fresh one in the run folder.

    Raises:
        ConfigError: the config changes what a checkpoint fixes, or stage 2 has nothing to go on from.
        CheckpointError: there is no such backbone.
    """
    path = Path(config.backbone)
    if (path / SPEC_FILE).is_file():
        for name in ("taxonomy", "hints", "safety", "revision"):
            if getattr(config, name):
                raise ConfigError(f"{name}: {path.name} is a checkpoint and brings its own")
        if config.template != "auto":
            raise ConfigError(f"template: {path.name} is a checkpoint and brings its own")
        return path
    if config.stage == 2:
        raise ConfigError("backbone: stage 2 goes on from a checkpoint of stage 1")
    start = folder / START_DIR
    if not start.exists():
        fresh_checkpoint(
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


def fresh_checkpoint(
    backbone: str,
    out: Path,
    *,
    revision: str | None = None,
    taxonomy: str | Path | None = None,
    hints: str | Path | None = None,
    paper: bool = False,
    changes: Mapping[str, Any] | None = None,
    template: str = "auto",
    include_backbone: bool = False,
    seed: int = 0,
) -> Path:
    """Make an untrained checkpoint from files and changes to a default shape.

    Args:
        backbone: folder in Hugging Face layout, or hub id.
        out: a directory that does not exist yet.
        revision: commit, tag or branch of a hub repository.
        taxonomy: JSON file; the default taxonomy where None.
        hints: JSON file with hints by type and level name; default hints where None.
        paper: start from the published shape instead of the designed one.
        changes: fields of the shape to change, at any depth.
        template: format of conversations, see :func:`prompt_for`.
        include_backbone: copy the backbone's folder along.
        seed: seed of the initial weights.

    Raises:
        ConfigError: a file or a change is malformed.
        CheckpointError: there is no such backbone, or ``out`` exists.
    """
    source = find_backbone(backbone, revision)
    dims = BackboneDims.parse_config(load_backbone_config(source.location, revision=source.revision))
    names = DEFAULT_TAXONOMY if taxonomy is None else Taxonomy.from_dict(read_object(taxonomy))
    return init_checkpoint(
        backbone,
        out,
        revision=revision,
        config=shaped(
            SafetyConfig.create_paper_variant(dims) if paper else SafetyConfig.create_default(dims), changes or {}
        ),
        taxonomy=names,
        hints=None if hints is None else parse_hints(read_object(hints), names),
        prompt=prompt_for(source, template),
        include_backbone=include_backbone,
        seed=seed,
    )


def prompt_for(source: BackboneRef, template: str) -> PromptTemplate | None:
    """The format of conversations that a backbone was trained on; None for LLaVA-1.5's.

    Args:
        source: where the backbone is.
        template: ``vicuna`` for LLaVA-1.5's, ``chat`` for the tokenizer's own chat template, ``auto`` for the latter
            if there is one, otherwise LLaVA-1.5's for a Llama whose tokenizer ends replies like Vicuna's.

    Raises:
        ConfigError: there is no such template, or the format cannot be determined.
        CheckpointError: the backbone's config or tokenizer cannot be read.
    """
    if template not in ("auto", "vicuna", "chat"):
        raise ConfigError(f"template: one of ['auto', 'vicuna', 'chat'] is needed, got {template!r}")
    if template == "vicuna":
        return None
    words = load_chat_tokenizer(source.location, revision=source.revision)
    config = load_backbone_config(source.location, revision=source.revision)
    advice = "name the format that it was trained on: --template vicuna for LLaVA-1.5's (USER: … ASSISTANT: …)"
    if words.chat_template is None:
        text: Any = config.text_config
        if template == "auto" and text.model_type == "llama" and words.tokenizer.eos_token == "</s>":
            return None
        raise ConfigError(f"template: the backbone has no chat template; {advice}")
    image_token = str(words.tokenizer.convert_ids_to_tokens(config.image_token_id))
    try:
        found = derive_template(words.tokenizer, words.chat_template, image_token)
    except ConfigError as exc:
        raise ConfigError(f"template: {exc}; {advice}") from exc
    return None if found.is_vicuna(str(words.tokenizer.bos_token)) else found


def shaped(default: SafetyConfig, changes: Mapping[str, Any]) -> SafetyConfig:
    """A module config with some fields changed, at any depth; raises ConfigError for a field that does not exist."""

    def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
        return {**base, **{k: merged(base[k], v) if isinstance(base.get(k), Mapping) else v for k, v in over.items()}}

    return SafetyConfig.from_dict(merged(default.to_dict(), changes))


def read_object(file: str | Path) -> Mapping[str, object]:
    """A JSON object from a file; raises ConfigError if there is none."""
    try:
        data = read_json(Path(file))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{file}: {why_unreadable(exc, 'JSON')}") from exc
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: an object is needed")
    return data
