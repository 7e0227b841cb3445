"""Verifies a checkpoint directory as far as possible without loading a weight.

Order of the checks: no file that could execute code, manifest, format version and spec, names and shapes of tensors in
the modules, the backbone and the adapter, policy. Backbone and adapter are built on the ``meta`` device by the code
that also loads them. Each kind of damage has its own error class; nothing is repaired.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from safety_core.errors import CheckpointError, ConfigError, IntegrityError
from safety_core.model.checkpoint import adapter as adapters
from safety_core.model.checkpoint.backbone import load_backbone_config, load_meta_backbone
from safety_core.model.checkpoint.novelty_file import NOVELTY_FILE, check_novelty
from safety_core.model.checkpoint.prompt_adapter import check_prompt_adapter
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR, check_manifest
from safety_core.model.checkpoint.tensor_files import Shapes, check_tensors, read_shapes
from safety_core.model.config import BackboneDims
from safety_core.model.modules.safety_modules import SafetyModules
from safety_core.model.spec import POLICY_FILE, SPEC_FILE, CheckpointSpec, read_spec
from safety_core.policy.documents import load_guarantee, load_policy
from safety_core.policy.guarantee import Guarantee
from safety_core.policy.policy import Policy

SAFETY_FILE = "safety.safetensors"
CARD_FILE = "MODEL_CARD.md"
ADAPTER_DIR = "adapter"
PROMPT_ADAPTER_DIR = "prompt_adapter"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """Properties of a valid checkpoint, as determined by :func:`verify`."""

    path: Path
    """The directory."""

    spec: CheckpointSpec
    """The content of its ``safevlm.json``."""

    policy: Policy
    """The content of its ``policy.json``."""

    guarantee: Guarantee | None = None
    """The guarantee that ``policy.json`` states; None if it states none."""

    files: int
    """Number of files in the manifest."""

    size: int
    """Total size of these files in bytes."""

    parameters: int
    """Number of parameters of the safety modules."""

    has_adapter: bool
    """Whether the checkpoint has a LoRA adapter."""

    has_prompt_adapter: bool = False
    """Whether the checkpoint has an adapter of the layers through which the head reads texts."""

    has_novelty: bool = False
    """Whether the checkpoint measures how far requests lie outside of what was trained."""

    ships_backbone: bool
    """Whether the backbone's weights are part of the checkpoint, and so of the manifest."""


def verify(path: Path | str) -> VerifyReport:
    """Check a checkpoint without loading weights; untrained modules are valid.

    A backbone outside of the checkpoint is checked if it is an existing folder; hub repositories are not checked.

    Raises:
        CheckpointError: the checkpoint is damaged; the subclass is the kind of damage, and the message describes it.
    """
    path = Path(path)
    sums = check_manifest(path)
    spec = read_spec(path)
    shapes = _compute_shapes(spec)
    check_tensors(read_shapes(_require(path, SAFETY_FILE)), shapes, where=SAFETY_FILE)
    ships_backbone = spec.backbone.path == BACKBONE_DIR
    if ships_backbone:
        if not (path / BACKBONE_DIR).is_dir():
            raise IntegrityError(f"{path.name}: {BACKBONE_DIR} is missing")
        for shard in sorted((path / BACKBONE_DIR).glob("*.safetensors")):
            read_shapes(shard)
    meta_backbone = _load_meta_backbone(path, spec)
    has_prompt_adapter = (path / PROMPT_ADAPTER_DIR).is_dir()
    if has_prompt_adapter:
        _require(path, f"{PROMPT_ADAPTER_DIR}/{adapters.CONFIG_FILE}")
        folder = _require(path, f"{PROMPT_ADAPTER_DIR}/{adapters.WEIGHTS_FILE}").parent
        if meta_backbone is not None:
            check_prompt_adapter(meta_backbone, spec.config.prompt_layers, folder)
        else:
            _check_adapter_files(folder)
    has_adapter = (path / ADAPTER_DIR).is_dir()
    if has_adapter:
        _require(path, f"{ADAPTER_DIR}/{adapters.CONFIG_FILE}")
        folder = _require(path, f"{ADAPTER_DIR}/{adapters.WEIGHTS_FILE}").parent
        _check_adapter(meta_backbone, folder)
        adapters.check_adapted_layers(folder, spec.config.prompt_layers)
    has_novelty = (path / NOVELTY_FILE).is_file()
    if has_novelty:
        check_novelty(path / NOVELTY_FILE, spec.dims)
    try:
        policy = load_policy(_require(path, POLICY_FILE), spec.taxonomy)
        guarantee = load_guarantee(path / POLICY_FILE, spec.taxonomy)
    except ConfigError as exc:
        raise CheckpointError(f"{path.name}: {exc}") from exc
    return VerifyReport(
        path=path,
        spec=spec,
        policy=policy,
        guarantee=guarantee,
        files=len(sums),
        size=sum((path / name).stat().st_size for name in sums),
        parameters=sum(torch.Size(shape).numel() for shape in shapes.values()),
        has_adapter=has_adapter,
        has_prompt_adapter=has_prompt_adapter,
        has_novelty=has_novelty,
        ships_backbone=ships_backbone,
    )


def build_modules(spec: CheckpointSpec) -> SafetyModules:
    """Build the modules that a spec describes, uninitialised; raises ConfigError if the spec is inconsistent."""
    return SafetyModules(
        spec.dims, spec.config, num_types=len(spec.taxonomy.types), num_levels=len(spec.taxonomy.levels)
    )


def _compute_shapes(spec: CheckpointSpec) -> Shapes:
    try:
        with torch.device("meta"):
            tensors = build_modules(spec).state_dict()
    except ConfigError as exc:
        raise CheckpointError(f"{SPEC_FILE}: {exc}") from exc
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _load_meta_backbone(path: Path, spec: CheckpointSpec) -> LlavaForConditionalGeneration | None:
    """Check the backbone and load it without weights; None if it is not a folder on this machine."""
    if spec.backbone.path is None:
        return None
    folder = Path(spec.backbone.make_absolute(path).location)
    if not folder.is_dir():
        return None
    check_dims(spec, load_backbone_config(folder))
    return load_meta_backbone(folder)


def _check_adapter(meta_backbone: LlavaForConditionalGeneration | None, folder: Path) -> None:
    """Check an adapter as far as possible; without a backbone, only its files."""
    if meta_backbone is not None:
        adapters.check_adapter(meta_backbone, folder)
    else:
        _check_adapter_files(folder)


def _check_adapter_files(folder: Path) -> None:
    """Check an adapter's files without its backbone."""
    read_shapes(folder / adapters.WEIGHTS_FILE)
    adapters.read_adapter_config(folder)


def check_dims(spec: CheckpointSpec, config: LlavaConfig) -> None:
    """Raise CheckpointError unless the modules were built for a backbone of these sizes."""
    try:
        dims = BackboneDims.read_config(config)
    except ConfigError as exc:
        raise CheckpointError(f"the backbone's config: {exc}") from exc
    if dims != spec.dims:
        raise CheckpointError(f"the modules were built for another backbone: with {spec.dims}, not {dims}")
    text: Any = config.text_config
    if spec.config.prompt_layers > text.num_hidden_layers:
        raise CheckpointError(
            f"{SPEC_FILE}: config.prompt_layers is {spec.config.prompt_layers}, "
            f"but the language model has {text.num_hidden_layers} layers"
        )


def _require(path: Path, name: str) -> Path:
    if not (path / name).exists():
        raise IntegrityError(f"{path.name}: {name} is missing")
    return path / name
