"""``safevlm train`` and ``python -m safety_core.training``: runs a training stage; imports torch only then."""

from pathlib import Path
from typing import Annotated, Any

import typer

from safety_core.cli.common import exit_on_error, print_skipped


def train(
    backbone: Annotated[
        str | None, typer.Option(help="Checkpoint directory, or a bare backbone: a folder or a hub id.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="JSONL file with training samples; may be given several times.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Checkpoint directory to write.")] = None,
    stage: Annotated[
        int | None, typer.Option(help="1: the safety modules. 2: also a LoRA on the language model.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with any fields of the training config.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Set any field, e.g. lora_r=64 or safety.head.num_heads=4."),
    ] = None,
    train_parts: Annotated[str | None, typer.Option(help="all, head (does not run the language model) or lm.")] = None,
    eval_data: Annotated[
        list[Path] | None, typer.Option(help="JSONL file to evaluate on; may be given several times.")
    ] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="JSON file with the taxonomy, for a bare backbone.")] = None,
    hints: Annotated[Path | None, typer.Option(help="JSON file with safety hints, for a bare backbone.")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of a hub repository.")] = None,
    cache_features: Annotated[Path | None, typer.Option(help="Folder that caches the vision features.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the data.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Optimizer steps, instead of epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples in one forward pass.")] = None,
    grad_accum: Annotated[int | None, typer.Option(help="Forward passes per optimizer step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    lr_lm: Annotated[float | None, typer.Option(help="Peak learning rate of the LLM's tokens and LoRA.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32, bf16 or fp16.")] = None,
    quantize: Annotated[
        str | None, typer.Option(help="Quantization of the frozen language model: none, int8 or nf4.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random numbers.")] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder for resumable states and logs; default: OUT.run.")
    ] = None,
    skip_bad: Annotated[
        bool | None, typer.Option("--skip-bad", help="List and skip bad records instead of stopping.")
    ] = None,
    include_backbone: Annotated[
        bool | None, typer.Option("--include-backbone", help="Copy the backbone into the checkpoint.")
    ] = None,
    tensorboard: Annotated[bool | None, typer.Option("--tensorboard", help="Also write TensorBoard logs.")] = None,
    progress: Annotated[bool | None, typer.Option("--progress/--quiet", help="Show a progress bar.")] = None,
) -> None:
    """Train the safety modules (stage 1), or also a LoRA on the language model (stage 2).

    The same command resumes a killed run. Later sources win: config file, --set, flags.
    """
    flags: dict[str, Any] = {
        "backbone": backbone,
        "data": _convert_paths(data),
        "out": _convert_path(out),
        "stage": stage,
        "train_parts": train_parts,
        "eval_data": _convert_paths(eval_data),
        "taxonomy": _convert_path(taxonomy),
        "hints": _convert_path(hints),
        "revision": revision,
        "cache_features": _convert_path(cache_features),
        "epochs": epochs,
        "max_steps": max_steps,
        "batch_size": batch_size,
        "grad_accum": grad_accum,
        "lr": lr,
        "lr_lm": lr_lm,
        "precision": precision,
        "quantize": quantize,
        "device": device,
        "seed": seed,
        "run_dir": _convert_path(run_dir),
        "skip_bad": skip_bad,
        "include_backbone": include_backbone,
        "tensorboard": tensorboard,
        "progress": progress,
    }
    from safety_core.training.config_file import load_config

    with exit_on_error():
        parsed = load_config(config, set_ or (), flags)
        from safety_core.training.run import train as run

        report = run(parsed)
    print_skipped(report.skipped)
    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for name, value in report.metrics.items():
        typer.echo(f"{name} {value:.4f}")
    resumed = f", resumed at step {report.resumed_from}" if report.resumed_from else ""
    typer.echo(f"{report.out}: {report.steps} steps over {report.samples} samples{resumed}")


def _convert_path(value: Path | None) -> str | None:
    return None if value is None else str(value)


def _convert_paths(values: list[Path] | None) -> list[str] | None:
    return [str(value) for value in values] if values else None
