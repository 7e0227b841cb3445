"""Writes and loads checkpoint directories, which contain everything that a server needs.

A directory appears complete or not at all, and is verified before it is loaded. Modules and adapter are stored in 16
bit and run in float32; safetensors only.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from safety_core.errors import CheckpointError, ConfigError, MissingBackboneError, UntrainedError
from safety_core.inputs.chat_template import PromptTemplate
from safety_core.model.checkpoint.adapter import get_adapter, load_adapter, merge_adapter, save_adapter
from safety_core.model.checkpoint.backbone import find_backbone, load_backbone, load_backbone_config
from safety_core.model.checkpoint.bare_model import copy_without_weights, create_bare_model, keep_adapted_layers
from safety_core.model.checkpoint.novelty_file import NOVELTY_FILE, read_novelty
from safety_core.model.checkpoint.prompt_adapter import load_prompt_adapter
from safety_core.model.checkpoint.quantization import Quantize
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR, MANIFEST, replace_file, write_manifest
from safety_core.model.checkpoint.tensor_files import convert_to_storage
from safety_core.model.checkpoint.verification import (
    ADAPTER_DIR,
    CARD_FILE,
    PROMPT_ADAPTER_DIR,
    SAFETY_FILE,
    VerifyReport,
    build_modules,
    check_dims,
    verify,
)
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.hints import create_default_hints
from safety_core.model.modules.safety_modules import SafetyModules
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.spec import (
    POLICY_FILE,
    SPEC_FILE,
    BackboneRef,
    CheckpointSpec,
    check_provenance,
    read_spec,
    write_spec,
)
from safety_core.policy.documents import format_policy
from safety_core.policy.guarantee import Guarantee
from safety_core.policy.named_policies import Hints
from safety_core.policy.policy import Policy
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

UNTRAINED_CARD = """# Untrained safety modules

Freshly initialised: they judge nothing and guard nothing. Train them before serving.
"""

__all__ = [
    "ADAPTER_DIR",
    "BACKBONE_DIR",
    "CARD_FILE",
    "MANIFEST",
    "POLICY_FILE",
    "PROMPT_ADAPTER_DIR",
    "SAFETY_FILE",
    "SPEC_FILE",
    "UNTRAINED_CARD",
    "VerifyReport",
    "init_checkpoint",
    "load_checkpoint",
    "read_spec",
    "save_checkpoint",
    "update_policy",
    "update_score_calibration",
    "verify",
    "verify_loadable",
    "write_manifest",
]


def load_checkpoint(
    path: Path | str,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    quantize: Quantize = "none",
    allow_untrained: bool = False,
    merge: bool | None = None,
    train_prompt_adapter: bool = False,
    judge_only: bool = False,
    keep_bare: bool = False,
) -> SafeLlava:
    """Verify a checkpoint and load it, in evaluation mode.

    Args:
        path: the directory.
        device: device of the model.
        dtype: precision of the backbone; if None, float32 on the CPU and bfloat16 elsewhere. The safety modules always
            run in float32.
        quantize: precision of the language model's linear layers.
        allow_untrained: accept safety modules that were never trained.
        merge: merge the adapter into the weights; by default, if the weights are not quantised. An adapter that is not
            merged stays trainable.
        train_prompt_adapter: keep the prompt adapter, if any, apart and trainable.
        judge_only: load no more of the language model than the head reads; such a model cannot generate.
        keep_bare: also keep the backbone without safety modules and adapter, as ``bare`` of the model.

    Raises:
        UntrainedError: the modules were never trained and ``allow_untrained`` was not given.
        MissingBackboneError: the backbone's folder does not exist, and nothing else is wrong with the checkpoint.
        CheckpointError: as :func:`verify`, or the backbone does not fit.
        ConfigError: an adapter cannot be merged into quantised weights, a model that is trained must be whole, or the
            bare backbone cannot be kept.
    """
    report = verify_loadable(path, allow_untrained=allow_untrained)
    spec, path = report.spec, report.path
    if merge and quantize != "none":
        raise ConfigError("an adapter cannot be merged into quantised weights")
    if judge_only and (train_prompt_adapter or merge is not None):
        raise ConfigError("a model that only judges has no adapter to train or to merge")
    if judge_only and keep_bare:
        raise ConfigError("a model that only judges has no bare backbone that could reply")
    source = spec.backbone.make_absolute(path)
    check_dims(spec, load_backbone_config(source.location, revision=source.revision))
    backbone = load_backbone(
        source.location,
        revision=source.revision,
        device=device,
        dtype=dtype,
        quantize=quantize,
        text_layers=spec.config.prompt_layers if judge_only else None,
    )
    bare = copy_without_weights(backbone.model) if keep_bare else None
    merged = merge if merge is not None else quantize == "none"
    prompt_layers, merges = None, quantize == "none" and not train_prompt_adapter
    if report.has_prompt_adapter:
        prompt_layers = load_prompt_adapter(
            backbone.model,
            spec.config.prompt_layers,
            path / PROMPT_ADAPTER_DIR,
            merge=merges,
            trainable=train_prompt_adapter,
            in_place=judge_only,
        )
    if report.has_adapter and not judge_only:
        adapter = load_adapter(backbone.model, path / ADAPTER_DIR, trainable=not merged)
        if merged:
            if bare is not None:
                keep_adapted_layers(bare, adapter)
            merge_adapter(backbone.model)
    safety = build_modules(spec)
    safety.load_state_dict(load_file(path / SAFETY_FILE), strict=True)
    model = SafeLlava(
        backbone.model,
        safety.to(device),
        taxonomy=spec.taxonomy,
        hints=spec.hints,
        tokenizer=backbone.tokenizer,
        image_processor=backbone.image_processor,
        source=source,
        merged_adapter=path / ADAPTER_DIR if report.has_adapter and merged and not judge_only else None,
        prompt_layers=prompt_layers,
        merged_prompt_adapter=path / PROMPT_ADAPTER_DIR if report.has_prompt_adapter and merges else None,
        prompt_template=spec.prompt,
        reader=spec.reader,
        text_views=spec.text_views,
        score_calibration=spec.score_calibration,
        novelty=read_novelty(path / NOVELTY_FILE, spec.dims, device) if report.has_novelty else None,
        generates=not judge_only,
        bare=None if bare is None else create_bare_model(replace(backbone, model=bare), prompt_template=spec.prompt),
    )
    return model.eval()


def verify_loadable(path: Path | str, *, allow_untrained: bool = False) -> VerifyReport:
    """Verify a checkpoint, and check that its modules are trained and its backbone exists, without loading weights.

    Raises:
        UntrainedError: the modules were never trained and ``allow_untrained`` was not given.
        MissingBackboneError: the backbone's folder does not exist, and nothing else is wrong with the checkpoint.
        CheckpointError: as :func:`verify`.
    """
    path = Path(path)
    try:
        report = verify(path)
    except MissingBackboneError:  # its spec is as the manifest says
        _require_trained(path, read_spec(path), allow_untrained=allow_untrained)
        raise
    _require_trained(path, report.spec, allow_untrained=allow_untrained)
    source = report.spec.backbone.make_absolute(path)
    if source.path is not None and not Path(source.path).is_dir():
        raise MissingBackboneError(
            f"{path.name}: there is no backbone at {source.path}; one that is made of parts is assembled with: "
            f"safevlm parts fetch --out {Path(source.path).parent}"
        )
    return report


def _require_trained(path: Path, spec: CheckpointSpec, *, allow_untrained: bool) -> None:
    if not spec.trained and not allow_untrained:
        raise UntrainedError(f"{path.name}: the safety modules were never trained, so they would not protect anything")


def save_checkpoint(
    model: SafeLlava,
    path: Path | str,
    *,
    policy: Policy,
    provenance: Mapping[str, object],
    model_card: str,
    guarantee: Guarantee | None = None,
    include_backbone: bool = False,
    dtype: torch.dtype = torch.float16,
) -> Path:
    """Write a checkpoint; the directory appears complete or not at all.

    The backbone is never rewritten: training leaves it frozen, so its files are copied or referred to. The adapter is
    written, whether the language model still has it or it was merged on loading. What is familiar is not: it must be
    fitted again to modules that were trained (``safety_core.novelty``).

    Args:
        model: the model; its ``source`` is the location of its backbone.
        path: a directory that does not exist.
        policy: thresholds and actions.
        provenance: origin of the modules; ``trained`` (bool) is required.
        model_card: Markdown.
        guarantee: what the thresholds were chosen with, if modules and policy are still those that it was given for.
        include_backbone: copy the backbone's folder into the checkpoint.
        dtype: stored precision of modules and adapter.

    Raises:
        CheckpointError: the directory exists, or the source of the model's backbone is unknown.
        ConfigError: the backbone is to be included but is not a local folder, provenance is incomplete, or the model
            was loaded to judge only.
        ValueError: a weight is not finite in the stored precision.
    """
    if model.source is None:
        raise CheckpointError("the model's backbone has no known source; save the backbone first")
    if not model.generates:
        raise ConfigError("a model that only judges lacks a part of the checkpoint")
    adapter = get_adapter(model.backbone)
    if adapter is not None and model.merged_adapter is not None:
        raise ConfigError("an adapter was merged and another attached: load with merge=False to train on")
    path = Path(path)
    with _create_whole(path) as folder:
        if adapter is not None:
            save_adapter(adapter, folder / ADAPTER_DIR, dtype)
        elif model.merged_adapter is not None:
            shutil.copytree(model.merged_adapter, folder / ADAPTER_DIR)
        if isinstance(model.prompt_layers, PeftModel):
            save_adapter(model.prompt_layers, folder / PROMPT_ADAPTER_DIR, dtype)
        elif model.merged_prompt_adapter is not None:
            shutil.copytree(model.merged_prompt_adapter, folder / PROMPT_ADAPTER_DIR)
        _write_modules(model.safety, folder, dtype)
        spec = CheckpointSpec(
            backbone=_place_backbone(model.source, folder, path, include=include_backbone),
            dims=model.dims,
            config=model.config,
            taxonomy=model.taxonomy,
            hints=model.hints,
            provenance=check_provenance(provenance),
            prompt=model.prompt_template,
            reader=model.reader,
            text_views=model.prompts.text_views,
            score_calibration=model.score_calibration,
        )
        _write_texts(folder, spec, policy, model_card, guarantee)
    return path


def init_checkpoint(
    backbone: str | Path,
    out: str | Path,
    *,
    revision: str | None = None,
    config: SafetyConfig | None = None,
    taxonomy: Taxonomy = DEFAULT_TAXONOMY,
    hints: Hints | None = None,
    prompt: PromptTemplate | None = None,
    reader: str | None = None,
    include_backbone: bool = False,
    seed: int = 0,
) -> Path:
    """Create an untrained checkpoint for a backbone; reads its config but no weights.

    Args:
        backbone: folder in Hugging Face layout, or hub id.
        out: a directory that does not exist.
        revision: commit, tag or branch of a hub repository; its commit is recorded.
        config: shape of the modules; :meth:`SafetyConfig.create_default` the backbone if None.
        taxonomy: names of the head's classes.
        hints: hints to train on; :func:`create_default_hints` if None.
        prompt: format of conversations; LLaVA-1.5's if None.
        reader: name of the reader of lettering; None if lettering is not read.
        include_backbone: copy the backbone's folder into the checkpoint.
        seed: seed of the initial weights.

    Raises:
        CheckpointError: the backbone cannot be read, or ``out`` exists.
        ConfigError: ``config`` does not fit the backbone.
    """
    out = Path(out)
    source = find_backbone(backbone, revision)
    dims = BackboneDims.read_config(load_backbone_config(source.location, revision=source.revision))
    with _create_whole(out) as folder:
        spec = CheckpointSpec(
            backbone=_place_backbone(source, folder, out, include=include_backbone),
            dims=dims,
            config=config or SafetyConfig.create_default(dims),
            taxonomy=taxonomy,
            hints=create_default_hints(taxonomy) if hints is None else hints,
            provenance={"trained": False, "seed": seed},
            prompt=prompt,
            reader=reader,
        )
        safety = build_modules(spec).init_weights(torch.Generator().manual_seed(seed))
        _write_modules(safety, folder, torch.float16)
        _write_texts(folder, spec, Policy.create_default(taxonomy), UNTRAINED_CARD)
    return out


def update_policy(path: Path | str, policy: Policy, guarantee: Guarantee | None = None) -> None:
    """Rewrite ``policy.json`` and the manifest; the checkpoint stays valid even if the process is killed.

    Args:
        path: the directory.
        policy: thresholds and actions.
        guarantee: what they were chosen with; without it, the file states none.

    Raises:
        CheckpointError: the checkpoint is not valid.
    """
    replace_file(verify(path).path, POLICY_FILE, _format_json(format_policy(policy, guarantee)).encode())


def update_score_calibration(path: Path | str, calibration: ScoreCalibration) -> None:
    """Rewrite ``safevlm.json`` with another recalibration of the scores; otherwise as :func:`update_policy`."""
    report = verify(path)
    spec = replace(report.spec, score_calibration=calibration)
    replace_file(report.path, SPEC_FILE, _format_json(spec.to_dict()).encode())


@contextmanager
def _create_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary folder, which receives its manifest and its final name if nothing fails."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise CheckpointError(f"{path}: exists already")
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        _set_default_modes(partial, like=write_manifest(partial))
        os.replace(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _set_default_modes(folder: Path, *, like: Path) -> None:
    """Give every file the mode that the umask allows; safetensors makes its files readable by their owner only."""
    for path in folder.rglob("*"):
        path.chmod((folder if path.is_dir() else like).stat().st_mode)


def _place_backbone(source: BackboneRef, folder: Path, final: Path, *, include: bool) -> BackboneRef:
    """Copy the backbone into ``folder``, or refer to it relative to ``final``, the folder's later path."""
    if source.path is None:
        if include:
            raise ConfigError("only a backbone in a local folder can be included in a checkpoint")
        return source
    if include:
        shutil.copytree(source.path, folder / BACKBONE_DIR)
        return BackboneRef(path=BACKBONE_DIR)
    return BackboneRef(path=os.path.relpath(Path(source.path).resolve(), final.resolve()))


def _write_modules(safety: SafetyModules, folder: Path, dtype: torch.dtype) -> None:
    save_file(convert_to_storage(safety.state_dict(), dtype), folder / SAFETY_FILE)


def _write_texts(
    folder: Path, spec: CheckpointSpec, policy: Policy, model_card: str, guarantee: Guarantee | None = None
) -> None:
    write_spec(folder, spec)
    (folder / POLICY_FILE).write_text(_format_json(format_policy(policy, guarantee)), encoding="utf-8")
    (folder / CARD_FILE).write_text(model_card, encoding="utf-8")


def _format_json(data: Mapping[str, object]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
