"""``safevlm train`` and ``python -m safety_core.training``: flags in, one run, a few lines out; torch only to train."""

from pathlib import Path
from typing import Annotated, Any

import typer

from safety_core.cli.common import errors_as_exits

Files = Annotated[list[Path] | None, typer.Option(help="JSONL file to learn from; may be given several times.")]


def train(
    backbone: Annotated[
        str | None, typer.Option(help="Checkpoint directory, or a bare backbone: a folder or a hub id.")
    ] = None,
    data: Files = None,
    out: Annotated[Path | None, typer.Option(help="Checkpoint directory to write.")] = None,
    stage: Annotated[int | None, typer.Option(help="1: safety modules. 2: and a LoRA on the language model.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with any field of a training config.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Any field, e.g. lora_r=64 or safety.head.num_heads=4."),
    ] = None,
    train_parts: Annotated[str | None, typer.Option(help="all, head (no LLM is run) or lm.")] = None,
    eval_data: Annotated[list[Path] | None, typer.Option(help="JSONL file to measure on.")] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="JSON taxonomy for a bare backbone.")] = None,
    hints: Annotated[Path | None, typer.Option(help="JSON safety hints for a bare backbone.")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of a hub repository.")] = None,
    cache_features: Annotated[Path | None, typer.Option(help="Folder that keeps the vision features.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the data.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Optimizer steps, in place of epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples in one forward pass.")] = None,
    grad_accum: Annotated[int | None, typer.Option(help="Forward passes for each optimizer step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    lr_lm: Annotated[float | None, typer.Option(help="Peak learning rate of the LLM's tokens and LoRA.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32, bf16 or fp16.")] = None,
    quantize: Annotated[str | None, typer.Option(help="none, int8 or nf4: the frozen language model.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Folder for resumable states and logs; OUT.run.")] = None,
    skip_bad: Annotated[bool | None, typer.Option("--skip-bad", help="List bad records instead of stopping.")] = None,
    include_backbone: Annotated[
        bool | None, typer.Option("--include-backbone", help="Copy the backbone into the checkpoint.")
    ] = None,
    tensorboard: Annotated[bool | None, typer.Option("--tensorboard", help="Write TensorBoard logs too.")] = None,
    progress: Annotated[bool | None, typer.Option("--progress/--quiet", help="Show progress.")] = None,
) -> None:
    """Train the safety modules (stage 1), or go on with a LoRA on the language model (stage 2).

    The same command goes on where a killed run stopped. Later sources win: config file, --set, flags.
    """
    flags: dict[str, Any] = {
        "backbone": backbone,
        "data": _paths(data),
        "out": _path(out),
        "stage": stage,
        "train_parts": train_parts,
        "eval_data": _paths(eval_data),
        "taxonomy": _path(taxonomy),
        "hints": _path(hints),
        "revision": revision,
        "cache_features": _path(cache_features),
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
        "run_dir": _path(run_dir),
        "skip_bad": skip_bad,
        "include_backbone": include_backbone,
        "tensorboard": tensorboard,
        "progress": progress,
    }
    from safety_core.training.config_file import load_config

    with errors_as_exits():
        asked = load_config(config, set_ or (), flags)
        from safety_core.training.run import train as run

        report = run(asked)
    for bad in report.skipped:
        typer.echo(f"skipped: {bad}", err=True)
    if report.skipped:
        typer.echo(f"skipped {len(report.skipped)} records", err=True)
    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for name, value in report.metrics.items():
        typer.echo(f"{name} {value:.4f}")
    resumed = f", resumed at step {report.resumed_from}" if report.resumed_from else ""
    typer.echo(f"{report.out}: {report.steps} steps over {report.samples} samples{resumed}")


def _path(value: Path | None) -> str | None:
    return None if value is None else str(value)


def _paths(values: list[Path] | None) -> list[str] | None:
    return [str(value) for value in values] if values else None
