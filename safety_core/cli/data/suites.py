"""``safevlm data suite``: makes an evaluation suite of labelled records."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error, print_skipped


def make_suite(
    data: Annotated[Path, typer.Argument(help="JSONL file of labelled records.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist.")],
    name: Annotated[str | None, typer.Option(help="Name in reports; default: that of the file.")] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="JSON file with a taxonomy instead of the default one.")] = None,
    rubric: Annotated[
        Path | None, typer.Option(help="JSON file with the markers of replies instead of those for English.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Field with a column for each value, e.g. source or subset; repeatable."),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Prompt of records that have an image only; without it they are errors.")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(help="Longest reply in tokens.", min=1)] = 48,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="List and leave out bad and unlabelled records instead of stopping.")
    ] = False,
) -> None:
    """Make an evaluation suite of labelled records, for safevlm evaluate --suite."""
    with exit_on_error():
        from safety_core.evaluation.scoring.judges import ReplyRubric
        from safety_core.evaluation.suites.building import ENGLISH_RUBRIC, SuiteOptions, build_suite
        from safety_core.strict_json import read_json_object
        from safety_core.taxonomy import read_taxonomy

        options = SuiteOptions(
            name=name,
            taxonomy=read_taxonomy(taxonomy),
            rubric=ENGLISH_RUBRIC if rubric is None else ReplyRubric.parse(read_json_object(rubric)),
            by=tuple(by or ()),
            prompt=prompt,
            max_new_tokens=max_new_tokens,
            skip_bad=skip_bad,
        )
        built = build_suite(data, out, options)
    print_skipped(built.skipped)
    typer.echo(f"{out}: {built.pairs} pairs")
    for cell, number in built.cells.items():
        typer.echo(f"{cell:32} {number:>7}")
    if built.flattened:
        typer.echo(f"{built.flattened} images with transparency are stored as they look on white")
