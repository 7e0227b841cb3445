"""``safevlm verify``: checks a checkpoint and prints its description."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error
from safety_core.policy.guarantee import describe_rate


def verify(path: Annotated[Path, typer.Argument(help="Checkpoint directory.")]) -> None:
    """Check a checkpoint's files, format and tensor shapes without loading its weights."""
    with exit_on_error():
        from safety_core.model.checkpoint.checkpoint import verify as check

        report = check(path)
    spec = report.spec
    typer.echo(f"{path}: sound")
    typer.echo(f"files      {report.files}, {report.size / 2**20:.1f} MiB, every sha256 as in the manifest")
    steps = spec.provenance.get("steps")
    trained = "trained" + (f" in {steps} steps" if isinstance(steps, int) else "") if spec.trained else "NOT TRAINED"
    typer.echo(f"modules    {report.parameters:,} parameters, {trained}")
    typer.echo(f"backbone   {'included' if report.ships_backbone else spec.backbone.location}")
    typer.echo(f"adapter    {'yes' if report.has_adapter else 'none'}")
    typer.echo(f"template   {'vicuna' if spec.prompt is None else 'chat'}")
    typer.echo(f"types      {', '.join(spec.taxonomy.types)}")
    typer.echo(f"levels     {', '.join(spec.taxonomy.levels)}")
    if report.guarantee is None:
        typer.echo("guarantee  none")
        return
    for guaranteed in report.guarantee.guarantees:
        typer.echo(f"guarantee  {describe_rate(guaranteed)}")
    if not report.guarantee.is_for(spec.score_calibration.to_dict()):
        typer.echo("warning: the guarantee is for other scores; calibrate again", err=True)
