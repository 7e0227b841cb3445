"""Writes the checkpoint of a finished training run, with its provenance and model card."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import safety_core
from safety_core.data.samples import Sample
from safety_core.model.checkpoint.checkpoint import POLICY_FILE, save_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.spec import read_spec
from safety_core.policy.documents import load_policy
from safety_core.training.config import TrainConfig
from safety_core.training.run_folder import hash_file


def save_trained_checkpoint(
    model: SafeLlava,
    config: TrainConfig,
    out: Path,
    start: Path,
    samples: Sequence[Sample],
    *,
    steps: int,
    metrics: Mapping[str, float],
    trained: bool,
) -> None:
    """Save the checkpoint with its provenance, and with the policy of the starting checkpoint."""
    spec = read_spec(start)
    provenance: dict[str, object] = {
        "trained": trained,
        "stage": config.stage,
        "train_parts": config.train_parts,
        "steps": steps,
        "samples": len(samples),
        "data": [{"name": Path(file).name, "sha256": hash_file(Path(file))} for file in config.data],
        "seed": config.seed,
        "batch": config.batch_size * config.grad_accum,
        "lr": config.lr,
        "lr_lm": config.lr_lm,
        **({"prompt_lora_r": config.prompt_lora_r, "lr_prompt": config.lr_prompt} if config.prompt_lora_r else {}),
        "precision": config.precision,
        "code": safety_core.__version__,
        "eval": dict(metrics),
        "from": dict(spec.provenance),
    }
    save_checkpoint(
        model,
        out,
        policy=load_policy(start / POLICY_FILE, spec.taxonomy),
        provenance=provenance,
        model_card=_format_model_card(out.name, provenance),
        include_backbone=config.include_backbone,
    )


def _format_model_card(name: str, provenance: Mapping[str, object]) -> str:
    rows = "\n".join(f"| {field} | {value} |" for field, value in provenance.items() if field not in ("from", "data"))
    return (
        f"# {name}\n\nSafety modules trained by `safevlm train`. **Not evaluated and not calibrated yet:** its policy "
        f"is the one it started from.\n\n| | |\n|---|---|\n{rows}\n"
    )
