"""Is a checkpoint directory sound? Everything that can be known before a weight is loaded.

Order of the checks: no file that could execute code, manifest, format version and spec, names and shapes of tensors in
the modules, the backbone and the adapter, policy. Backbone and adapter are built on the ``meta`` device by the code
that loads them, so what is sound here loads. Each kind of damage has its own error class; nothing is repaired.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from safety_core.errors import CheckpointError, ConfigError, IntegrityError
from safety_core.model.checkpoint import adapter as adapters
from safety_core.model.checkpoint.backbone import load_backbone_config, load_meta_backbone
from safety_core.model.checkpoint.manifest import check_manifest
from safety_core.model.checkpoint.tensor_files import Shapes, check_tensors, read_shapes
from safety_core.model.config import BackboneDims
from safety_core.model.modules.safety_modules import SafetyModules
from safety_core.model.spec import POLICY_FILE, SPEC_FILE, CheckpointSpec, read_spec
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Policy

SAFETY_FILE = "safety.safetensors"
CARD_FILE = "MODEL_CARD.md"
ADAPTER_DIR = "adapter"
BACKBONE_DIR = "backbone"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What :func:`verify` found in a sound checkpoint."""

    path: Path
    """The directory."""

    spec: CheckpointSpec
    """The content of its ``safevlm.json``."""

    policy: Policy
    """The content of its ``policy.json``."""

    files: int
    """Files under the manifest."""

    size: int
    """Their bytes."""

    parameters: int
    """Parameters of the safety modules."""

    has_adapter: bool
    """Whether a LoRA of stage 2 is there."""

    ships_backbone: bool
    """Whether the backbone's weights are inside and so covered by the manifest."""


def verify(path: Path | str) -> VerifyReport:
    """Check a checkpoint without loading a weight; untrained modules are sound.

    A backbone outside of the checkpoint is checked where it is a folder that exists; a hub repository is not asked for.

    Raises:
        CheckpointError: anything is wrong; the subclass says what kind, the message names what differs.
    """
    path = Path(path)
    sums = check_manifest(path)
    spec = read_spec(path)
    shapes = _expected_shapes(spec)
    check_tensors(read_shapes(_needed(path, SAFETY_FILE)), shapes, where=SAFETY_FILE)
    ships_backbone = spec.backbone.path == BACKBONE_DIR
    if ships_backbone:
        if not (path / BACKBONE_DIR).is_dir():
            raise IntegrityError(f"{path.name}: {BACKBONE_DIR} is missing")
        for shard in sorted((path / BACKBONE_DIR).glob("*.safetensors")):
            read_shapes(shard)
    outline = _outline(path, spec)
    has_adapter = (path / ADAPTER_DIR).is_dir()
    if has_adapter:
        _needed(path, f"{ADAPTER_DIR}/{adapters.CONFIG_FILE}")
        _check_adapter(outline, _needed(path, f"{ADAPTER_DIR}/{adapters.WEIGHTS_FILE}").parent)
    try:
        policy = load_policy(_needed(path, POLICY_FILE), spec.taxonomy)
    except ConfigError as exc:
        raise CheckpointError(f"{path.name}: {exc}") from exc
    return VerifyReport(
        path=path,
        spec=spec,
        policy=policy,
        files=len(sums),
        size=sum((path / name).stat().st_size for name in sums),
        parameters=sum(torch.Size(shape).numel() for shape in shapes.values()),
        has_adapter=has_adapter,
        ships_backbone=ships_backbone,
    )


def build_modules(spec: CheckpointSpec) -> SafetyModules:
    """The modules that a spec describes, their weights unset; raises ConfigError if no such modules can be."""
    return SafetyModules(
        spec.dims, spec.config, num_types=len(spec.taxonomy.types), num_levels=len(spec.taxonomy.levels)
    )


def _expected_shapes(spec: CheckpointSpec) -> Shapes:
    try:
        with torch.device("meta"):
            tensors = build_modules(spec).state_dict()
    except ConfigError as exc:
        raise CheckpointError(f"{SPEC_FILE}: {exc}") from exc
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _outline(path: Path, spec: CheckpointSpec) -> LlavaForConditionalGeneration | None:
    """The checked backbone without its weights; None where it is out of reach."""
    if spec.backbone.path is None:
        return None
    folder = Path(spec.backbone.make_absolute(path).location)
    if not folder.is_dir():
        return None
    check_dims(spec, load_backbone_config(folder))
    return load_meta_backbone(folder)


def _check_adapter(outline: LlavaForConditionalGeneration | None, folder: Path) -> None:
    """All that can be checked of an adapter with, or without, the backbone that it belongs to."""
    if outline is not None:
        adapters.check_adapter(outline, folder)
    else:
        read_shapes(folder / adapters.WEIGHTS_FILE)
        adapters.read_adapter_config(folder)


def check_dims(spec: CheckpointSpec, config: LlavaConfig) -> None:
    """Raise CheckpointError unless the modules were made for a backbone of these sizes."""
    try:
        dims = BackboneDims.parse_config(config)
    except ConfigError as exc:
        raise CheckpointError(f"the backbone's config: {exc}") from exc
    if dims != spec.dims:
        raise CheckpointError(f"the backbone is not the one the modules were made for: {dims} against {spec.dims}")


def _needed(path: Path, name: str) -> Path:
    if not (path / name).exists():
        raise IntegrityError(f"{path.name}: {name} is missing")
    return path / name
