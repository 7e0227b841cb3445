"""``safevlm convert``: converts a public data set to JSONL records."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error, print_skipped


def convert(
    name: Annotated[str, typer.Argument(help="vlguard, rtvlm, spa-vl, mm-safetybench, figstep, xstest, folder, …")],
    source: Annotated[Path, typer.Argument(help="Folder that contains the unpacked data set.")],
    out: Annotated[Path, typer.Argument(help="JSONL file to write.")],
    taxonomy: Annotated[Path | None, typer.Option(help="JSON file with a taxonomy instead of the default one.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help='JSON file with labels of categories, {"category": ["type", level]}.')
    ] = None,
    split: Annotated[str | None, typer.Option(help="Split of the data set, e.g. train or test.")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="List and skip bad records instead of stopping.")
    ] = False,
) -> None:
    """Convert a public data set, or a folder of images, to JSONL records."""
    with exit_on_error():
        from safety_core.data.conversion import convert as write
        from safety_core.data.labels import parse_labels
        from safety_core.strict_json import read_json_object
        from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

        chosen = DEFAULT_TAXONOMY if taxonomy is None else Taxonomy.parse(read_json_object(taxonomy))
        table = None if labels is None else parse_labels(read_json_object(labels))
        report = write(name, source, out, taxonomy=chosen, labels=table, split=split, skip_bad=skip_bad)
    print_skipped(report.skipped)
    counts = ", ".join(f"{kind} {count}" for kind, count in report.by_type.items())
    typer.echo(f"{out}: {report.count} records ({counts})")
