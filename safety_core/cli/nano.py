"""``safevlm nano``: builds the nano, and draws what its documentation shows."""

import json
from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import SHIPPED_CHECKPOINT, errors_as_exits, find_checkpoint
from safety_core.cli.evaluate import BARS_NOT_CLEARED
from safety_core.files import write_text

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _root() -> None:
    """The nano: a picture world, a small LLaVA born in it, and the pipeline that builds both."""


@app.command()
def build(
    small: Annotated[bool, typer.Option("--small", help="An afternoon's size: the same table, without bars.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="Every step in under a minute; knows nothing.")] = False,
    out: Annotated[Path | None, typer.Option(help="Working folder; build/nano-SIZE where not given.")] = None,
    step: Annotated[str | None, typer.Option(help="Run one step only.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show progress.")] = True,
) -> None:
    """Build the nano from one seed; a build that was stopped goes on where it was. Status 3: a bar is not cleared."""
    from safety_core.model.device import pick_device
    from safety_core.nano.build.pipeline import Build
    from safety_core.nano.build.recipes import RECIPES

    if small and smoke:
        raise typer.BadParameter("--small and --smoke exclude each other")
    recipe = RECIPES["small" if small else "smoke" if smoke else "shipped"]
    root = out or Path("build") / f"nano-{recipe.name}"
    with errors_as_exits():
        Build(recipe=recipe, root=root, device=str(pick_device(device)), show=progress).run(step)
    if step is not None:
        typer.echo(f"{step}: done")
    else:
        typer.echo((root / "report" / "report.md").read_text())
        typer.echo(f"checkpoint: {root / 'safevlm-nano'}")
        bars = json.loads((root / "report" / "report.json").read_text())["bars"]
        if not all(bar["passed"] for bar in bars):
            raise typer.Exit(BARS_NOT_CLEARED)


@app.command()
def rules() -> None:
    """Print the labelling table."""
    from safety_core.nano.language.labelling_rules import format_rules

    typer.echo(format_rules(), nl=False)


@app.command()
def suite(out: Annotated[Path, typer.Argument(help="Folder to write.")]) -> None:
    """Draw the held-out suite that the shipped checkpoint is measured on."""
    from safety_core.nano.build.suite import ensure_held_out_suite

    with errors_as_exits():
        typer.echo(ensure_held_out_suite(out))


@app.command()
def examples(out: Annotated[Path, typer.Argument(help="Folder to write.")] = Path("examples")) -> None:
    """Draw the four example pictures."""
    from safety_core.nano.build.examples import write_examples

    with errors_as_exits():
        for path in write_examples(out).values():
            typer.echo(path)


@app.command()
def conversation(
    out: Annotated[Path, typer.Argument(help="SVG file to write.")],
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = SHIPPED_CHECKPOINT,
) -> None:
    """Show the example pictures to a checkpoint and draw the conversation."""
    from safety_core.engine.load import load_guard
    from safety_core.nano.build.conversation_picture import render_svg, run_conversation

    with errors_as_exits():
        exchanges = run_conversation(load_guard(find_checkpoint(checkpoint), device="cpu"))
        write_text(out, render_svg(exchanges))
    for one in exchanges:
        typer.echo(f"{one.file}\t{one.prompt}\t{one.decision} ({one.risk})\t{one.reply}")
