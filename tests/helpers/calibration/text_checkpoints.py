"""Checkpoint directories with text files only: enough for commands that read policies and guarantees, without torch."""

import json
from dataclasses import replace
from pathlib import Path

from safety_core.model.checkpoint.sha256_manifest import write_manifest
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.hints import create_default_hints
from safety_core.model.spec import POLICY_FILE, BackboneRef, CheckpointSpec, write_spec
from safety_core.policy.documents import format_policy
from safety_core.policy.guarantee import Guarantee
from safety_core.policy.policy import Policy
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import DEFAULT_TAXONOMY

_DIMS = BackboneDims(vision_width=24, llm_width=32, patch_grid=4, vision_depth=2)

SPEC = CheckpointSpec(
    backbone=BackboneRef(hub_id="llava-hf/llava-1.5-7b-hf", revision="a" * 40),
    dims=_DIMS,
    config=SafetyConfig.create_default(_DIMS),
    taxonomy=DEFAULT_TAXONOMY,
    hints=create_default_hints(DEFAULT_TAXONOMY),
    provenance={"trained": True},
)


def write_text_checkpoint(
    path: Path, policy: Policy, guarantee: Guarantee | None = None, scores: ScoreCalibration | None = None
) -> Path:
    """Write a checkpoint's spec, policy and manifest."""
    path.mkdir(parents=True)
    write_spec(path, replace(SPEC, score_calibration=ScoreCalibration() if scores is None else scores))
    (path / POLICY_FILE).write_text(json.dumps(format_policy(policy, guarantee)))
    write_manifest(path)
    return path
