"""``safevlm data filter``: leaves records out that an audit named."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error


def filter_data(
    data: Annotated[Path, typer.Argument(help="JSONL file of records.")],
    entries: Annotated[Path, typer.Argument(help="filter.jsonl of an audit of this file.")],
    out: Annotated[Path, typer.Argument(help="JSONL file to write, in the same folder.")],
    reason: Annotated[
        list[str] | None,
        typer.Option(
            help="refused, cautioned, unjudged, unreadable or duplicate; repeatable. Without it, all but duplicate."
        ),
    ] = None,
    least_risk: Annotated[
        float, typer.Option(help="Risk from which refused and cautioned records are left out.", min=0, max=1)
    ] = 0.0,
) -> None:
    """Write the records of a file that an audit did not name, for safevlm train."""
    with exit_on_error():
        from safety_core.data.filtering import DEFAULT_REASONS, filter_records

        report = filter_records(data, entries, out, reasons=reason or DEFAULT_REASONS, least_risk=least_risk)
    typer.echo(f"{out}: {report.kept} records kept, {report.dropped} left out")
    if report.unknown:
        typer.echo(f"{report.unknown} entries name no record of the file", err=True)
