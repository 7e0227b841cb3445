"""The commands of ``safevlm small``."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import FAILED, exit_on_error
from safety_core.cli.small.alignment import align_projector, look_at_photographs
from safety_core.cli.small.build import build_checkpoint, write_model_card
from safety_core.cli.small.conversation import draw_conversation
from safety_core.cli.small.recall import measure_recall
from safety_core.cli.small.replies import app as replies_app

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.command("build")(build_checkpoint)
app.command("card")(write_model_card)
app.command("align")(align_projector)
app.command("look")(look_at_photographs)
app.command("recall")(measure_recall)
app.command("conversation")(draw_conversation)
app.add_typer(replies_app, name="replies")

_DataFolder = Annotated[Path, typer.Option("--data", help="Folder of the public sets; docs/safevlm-small-data.md.")]


@app.callback()
def describe() -> None:
    """The small checkpoint: real words and photographs, their labels and splits."""


@app.command("data")
def print_data(data: _DataFolder) -> None:
    """Count the records by set, label, terms and split; never prints a record."""
    from safety_core.small.corpus.loading import load_records
    from safety_core.small.corpus.report import format_report

    with exit_on_error():
        typer.echo(format_report(load_records(data)), nl=False)


@app.command("rules")
def print_rules() -> None:
    """Print the rules that label the sets."""
    from safety_core.small.corpus.labels.tables import format_rules

    typer.echo(format_rules(), nl=False)


@app.command("split")
def write_splits(
    data: _DataFolder,
    out: Annotated[Path | None, typer.Option(help="Folder for the lists; default: those of the package.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare with the lists and write nothing.")] = False,
) -> None:
    """Split the public sets anew and write the lists; with --check, exit with status 1 if they differ."""
    from safety_core.small.corpus.loading import split_records
    from safety_core.small.corpus.split_lists import compare_lists, find_lists, read_lists, write_lists

    folder = out or find_lists()
    with exit_on_error():
        splits = split_records(data)
        if not check:
            write_lists(splits, folder)
            typer.echo(f"{len(splits)} records split; lists in {folder}")
            return
        differences = compare_lists(splits, read_lists(folder))
    for difference in differences:
        typer.echo(difference, err=True)
    if differences:
        raise typer.Exit(FAILED)
    typer.echo(f"{len(splits)} records, split as listed")
