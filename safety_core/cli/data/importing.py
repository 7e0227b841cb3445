"""``safevlm data import`` and ``safevlm data sets``: convert data sets to JSONL records, and list them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error, print_skipped


def import_set(
    name: Annotated[str, typer.Argument(help="Name of the set; safevlm data sets lists them.")],
    source: Annotated[Path, typer.Argument(help="Folder that contains the unpacked set, or the file of a table.")],
    out: Annotated[Path, typer.Argument(help="JSONL file to write.")],
    taxonomy: Annotated[Path | None, typer.Option(help="JSON file with a taxonomy instead of the default one.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help='JSON file with labels of categories, {"category": ["type", level]}.')
    ] = None,
    split: Annotated[str | None, typer.Option(help="Split of the data set, e.g. train or test.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NAME", help="csv, parquet: column of a field, e.g. prompt=question; repeatable."),
    ] = None,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Write records without a label where the set has none.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="List and skip bad records instead of stopping.")
    ] = False,
) -> None:
    """Convert a public data set, a folder of images or a table to JSONL records."""
    with exit_on_error():
        from safety_core.data.conversion import convert
        from safety_core.data.labels import parse_labels
        from safety_core.strict_json import read_json_object
        from safety_core.taxonomy import read_taxonomy

        report = convert(
            name,
            source,
            out,
            taxonomy=read_taxonomy(taxonomy),
            labels=None if labels is None else parse_labels(read_json_object(labels)),
            split=split,
            columns=parse_columns(column or ()),
            skip_bad=skip_bad,
            allow_unlabelled=unlabelled,
        )
    print_skipped(report.skipped)
    counts = [f"{kind} {count}" for kind, count in report.by_type.items()]
    counts += [f"unlabelled {report.unlabelled}"] if report.unlabelled else []
    typer.echo(f"{out}: {report.count} records ({', '.join(counts)})")


def print_sets(
    name: Annotated[str | None, typer.Argument(help="Set whose labels are printed; without it, all sets.")] = None,
) -> None:
    """List the sets that can be imported, or print how one set's categories are labelled."""
    with exit_on_error():
        from safety_core.data.labels import list_labels
        from safety_core.data.registry import ADAPTERS, find_adapter

        if name is None:
            for known, adapter in ADAPTERS.items():
                notes = f"splits {', '.join(adapter.splits)}" if adapter.splits else ""
                notes = f"columns {', '.join(adapter.columns)}" if adapter.columns else notes
                typer.echo(f"{known:16} {notes}".rstrip())
            return
        for (kind, level), categories in list_labels(find_adapter(name).labels):
            typer.echo(f"{kind} {level}: {', '.join(categories)}")


def parse_columns(entries: Sequence[str]) -> dict[str, str]:
    """Parse entries of the form ``FIELD=NAME``."""
    columns: dict[str, str] = {}
    for entry in entries:
        field, sign, column = entry.partition("=")
        if not field or not sign or not column or field in columns:
            raise typer.BadParameter("FIELD=NAME is needed, each field once", param_hint="--column")
        columns[field] = column
    return columns
