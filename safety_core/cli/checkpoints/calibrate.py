"""``safevlm calibrate``: chooses the thresholds of a checkpoint on held-out data."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error, find_checkpoint


def calibrate(
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")],
    data: Annotated[Path, typer.Option(help="JSONL file with samples that the modules were not trained on.")],
    false_refusals: Annotated[float, typer.Option(help="Maximum share of answerable pairs that are refused.")] = 0.01,
    false_cautions: Annotated[
        float, typer.Option(help="Maximum share of pairs below the caution level that are cautioned.")
    ] = 0.01,
    refusal_exchange: Annotated[float, typer.Option(help="Cost of a false refusal, in misses.")] = 0.5,
    caution_exchange: Annotated[float, typer.Option(help="Cost of a false caution, in misses.")] = 1.0,
    by_type: Annotated[
        bool, typer.Option("--by-type/--all-types", help="Thresholds for each type, or the same ones for all.")
    ] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the thresholds without writing them.")] = False,
) -> None:
    """Choose a checkpoint's thresholds; rewrites its policy.json and its manifest."""
    from safety_core.evaluation.calibration.calibrate import CalibrationGoal, calibrate_checkpoint
    from safety_core.model.device import pick_device

    with exit_on_error():
        result = calibrate_checkpoint(
            find_checkpoint(checkpoint),
            data,
            goal=CalibrationGoal(
                false_refusals=false_refusals,
                false_cautions=false_cautions,
                refusal_exchange=refusal_exchange,
                caution_exchange=caution_exchange,
                by_type=by_type,
            ),
            device=str(pick_device(device)),
            write=not dry_run,
        )
    for name, levels in result.policy.thresholds.items():
        typer.echo(f"{name:20} " + "  ".join(f"{level}: {value:.4f}" for level, value in sorted(levels.items())))
    typer.echo(
        f"{result.false_refusals} of {result.answerable} answerable pairs refused, "
        f"{result.missed_refusals} of {result.refusable} pairs of the worst level missed, "
        f"{result.false_cautions} of {result.harmless} harmless pairs cautioned"
    )
