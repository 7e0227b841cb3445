"""``safevlm data fingerprint``: hashes of training records, by which evaluation finds items that were trained on."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error
from safety_core.cli.progress import show_progress


def fingerprint(
    records: Annotated[list[Path], typer.Argument(help="JSONL files that a checkpoint was trained on.")],
    out: Annotated[Path | None, typer.Option(help="File to write, e.g. training_rows.safetensors.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Checkpoint directory to add the file to; its manifest is rewritten.")
    ] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="JSON file with a taxonomy instead of the default one.")] = None,
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show a progress bar.")] = True,
) -> None:
    """Write fingerprints of training records: truncated salted hashes of ids, words and pictures.

    Neither texts nor pictures can be recovered from them. Whoever has a text can ask whether it, or one like it, is
    probably among the records. Needs pip install 'safevlm-guard[data]' if there are pictures.
    """
    if (out is None) == (checkpoint is None):
        raise typer.BadParameter("exactly one of --out and --checkpoint is needed")
    with exit_on_error(), show_progress(shown=progress) as advance:
        from safety_core.evaluation.benchmarks.training_rows.building import add_to_checkpoint, build_training_rows
        from safety_core.files import write_bytes
        from safety_core.taxonomy import read_taxonomy
        from safety_core.training_rows_file import encode_training_rows

        built = build_training_rows(records, read_taxonomy(taxonomy), report=advance)
        content = encode_training_rows(built.rows)
        if checkpoint is not None:
            file = add_to_checkpoint(checkpoint, content)
        else:
            assert out is not None
            file = out
            write_bytes(file, content)
    typer.echo(f"{file}: {built.rows.records} records, {built.pictures} pictures, {len(content) / 1000:.0f} KB")
    if built.without_source:
        typer.echo(f"{built.without_source} records name no source, so their ids are left out")
