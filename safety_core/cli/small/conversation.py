"""``safevlm small conversation``: draws the conversation of the README."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import DEFAULT_CHECKPOINT, exit_on_error, find_checkpoint
from safety_core.files import write_text

PICTURES = Path("examples/small")
"""Folder of the example pictures, relative to the repository's root."""


def draw_conversation(
    out: Annotated[Path, typer.Argument(help="SVG file to write.")],
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = DEFAULT_CHECKPOINT,
    pictures: Annotated[Path, typer.Option(help="Folder of the example pictures.")] = PICTURES,
) -> None:
    """Run a conversation about the example pictures, render it as SVG, and print it as rows of a Markdown table."""
    from safety_core.conversation_picture import format_table, render_svg, run_conversation
    from safety_core.engine.load import load_guard
    from safety_core.small.example_questions import list_questions

    with exit_on_error():
        questions = list_questions(pictures)
        exchanges = run_conversation(load_guard(find_checkpoint(checkpoint), device="cpu"), questions)
        write_text(out, render_svg(exchanges))
    typer.echo(format_table(exchanges, str(PICTURES)), nl=False)
