"""``safevlm evaluate compare`` and ``safevlm evaluate report``: what is made of finished runs, as often as wanted."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from safety_core.cli.common import exit_on_error

Trained = Annotated[
    Literal["mark", "drop"],
    typer.Option(help="Items that a checkpoint was trained on: mark counts them and says so, drop leaves them out."),
]
Seed = Annotated[int, typer.Option(help="Seed of the bootstrap.")]
Resamples = Annotated[int, typer.Option(help="Number of bootstrap resamples.", min=1)]


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a run.")],
    second: Annotated[Path, typer.Argument(help="Folder of the run that it is compared with, on the same suite.")],
    out: Annotated[Path | None, typer.Option(help="Folder for comparison.json and comparison.md.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    trained: Trained = "mark",
    seed: Seed = 0,
    resamples: Resamples = 1000,
) -> None:
    """Compare two runs item by item: paired differences with intervals, and McNemar's exact test.

    Both must be on the same suite. Items that only one of them has are named and left out.
    """
    with exit_on_error():
        from safety_core.evaluation.benchmarks.reporting.comparison_report import (
            compare_folders,
            convert_comparison,
            format_comparison,
            write_comparison,
        )

        comparison = compare_folders(first, second, trained=trained, seed=seed, resamples=resamples)
        if out is not None:
            write_comparison(comparison, out)
    if as_json:
        typer.echo(json.dumps(convert_comparison(comparison), ensure_ascii=False, indent=1))
        return
    typer.echo(format_comparison(comparison), nl=False)


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    bare: Annotated[
        Path | None,
        typer.Option(help="Folder of a run of the same model without the guard: adds what the guard costs."),
    ] = None,
    failures: Annotated[
        int,
        typer.Option(min=0, help="Failures of each kind that the page shows, with texts and pictures; 0 shows none."),
    ] = 9,
    trained: Trained = "mark",
    seed: Seed = 0,
    resamples: Resamples = 1000,
) -> None:
    """Write the report of a run again: report.html, report.md and report.json in its folder.

    The page contains prompts, replies and pictures of the worst failures, hidden until they are opened. Needs
    pip install 'safevlm-guard[eval]'.
    """
    with exit_on_error():
        from safety_core.evaluation.benchmarks.reporting.run_report import ReportOptions
        from safety_core.evaluation.benchmarks.reporting.summary import describe_run, list_cautions
        from safety_core.evaluation.benchmarks.reporting.writing import HTML_FILE, write_report

        options = ReportOptions(trained=trained, bare=bare, failures=failures, seed=seed, resamples=resamples)
        written = write_report(run, options)
    for sentence in describe_run(written.run, written.figures):
        typer.echo(sentence)
    for caution in list_cautions(written.figures):
        typer.echo(f"note: {caution}", err=True)
    typer.echo(f"report: {run / HTML_FILE}")
