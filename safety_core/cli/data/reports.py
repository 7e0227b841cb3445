"""``safevlm data report``: labels of data files, and near-duplicates within and between them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error
from safety_core.cli.progress import show_progress


def print_report(
    files: Annotated[list[Path], typer.Argument(help="JSONL files, each of them a split.")],
    taxonomy: Annotated[Path | None, typer.Option(help="JSON file with a taxonomy instead of the default one.")] = None,
    labels_only: Annotated[
        bool, typer.Option("--labels-only", help="Count labels, and do not look for near-duplicates.")
    ] = False,
    max_records: Annotated[
        int, typer.Option(help="Records that are compared at most; of more, a sample is. About 2 KB each.", min=1)
    ] = 200_000,
    examples: Annotated[int, typer.Option(help="Places that are shown of each kind of near-duplicates.", min=0)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show a progress bar.")] = True,
) -> None:
    """Report labels, the ratio of clean to risky records, and near-duplicates within and between files.

    Near-duplicates need pip install 'safevlm-guard[data]'. No record is shown.
    """
    with exit_on_error(), show_progress(shown=progress) as advance:
        from safety_core.data.reporting.report import format_report, report_data
        from safety_core.taxonomy import read_taxonomy

        report = report_data(
            files, read_taxonomy(taxonomy), duplicates=not labels_only, max_records=max_records, report=advance
        )
    if as_json:
        typer.echo(json.dumps(report.to_dict(), ensure_ascii=False, indent=2))
        return
    for counts in report.counts:
        for error in counts.errors:
            typer.echo(f"malformed: {error}", err=True)
    typer.echo(format_report(report, examples=examples), nl=False)
