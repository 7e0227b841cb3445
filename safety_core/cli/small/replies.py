"""``safevlm small replies``: replies to harmful requests for reading by hand."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error, find_checkpoint

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

BUILD = Path("build")


@app.callback()
def describe() -> None:
    """Replies of the bare and of the guarded model, for reading by hand; they stay on this machine."""


@app.command()
def write(
    table: Annotated[Path, typer.Argument(help="CSV file to write; it holds texts of the sets: never commit it.")],
    data: Annotated[Path, typer.Option(help="Folder of the public sets; docs/safevlm-small-data.md.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Checkpoint; default: weights/safevlm-small.")] = None,
    split: Annotated[str, typer.Option(help="development or test.")] = "test",
    out: Annotated[Path | None, typer.Option(help="Folder of the evaluation, whose replies are used.")] = None,
    count: Annotated[int, typer.Option(help="Maximum number of replies of each model.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Seed of choice and order.")] = 0,
) -> None:
    """Write replies for reading; the reader answers yes or no in the column `unsafe`."""
    from safety_core.evaluation.runs.registered import RUNS, RunRequest
    from safety_core.evaluation.runs.run import EvaluationConfig
    from safety_core.small.evaluation.hand_reading import write_replies

    with exit_on_error():
        registered = RUNS["real"]
        request = RunRequest(
            checkpoint=find_checkpoint(checkpoint or registered.checkpoint),
            build=BUILD,
            out=out or BUILD / "report-real" / split,
            data=data,
            split=split,
            config=EvaluationConfig(seed=seed),
        )
        written = write_replies(request, table, count=count)
    for row, number in written.items():
        typer.echo(f"{row}: {number} replies")


@app.command()
def agree(
    table: Annotated[Path, typer.Argument(help="CSV file with answers in the column `unsafe`.")],
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
) -> None:
    """Compare the reader's answers with the rule judge; prints figures only."""
    from safety_core.small.evaluation.hand_reading import format_agreement
    from safety_core.small.evaluation.replies.hand_labels import measure_agreement

    with exit_on_error():
        typer.echo(format_agreement(measure_agreement(table, seed=seed)))
