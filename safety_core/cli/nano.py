"""``safevlm nano``: builds the nano model, and renders the pictures of its documentation."""

import json
from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import NANO_CHECKPOINT, exit_on_error, find_checkpoint
from safety_core.cli.evaluate import BARS_NOT_CLEARED
from safety_core.files import write_text

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def describe() -> None:
    """The nano: a synthetic picture world, a small LLaVA trained in it, and the pipeline that builds both."""


@app.command()
def build(
    small: Annotated[
        bool, typer.Option("--small", help="Smaller build that takes an afternoon: the same table, without bars.")
    ] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Run every step in under a minute; the model learns nothing.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Working folder; default: build/nano-SIZE.")] = None,
    step: Annotated[str | None, typer.Option(help="Run only this step.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show a progress bar.")] = True,
) -> None:
    """Build the nano from one seed; resumes a build that was stopped. Exits with status 3 if a bar is not cleared."""
    from safety_core.model.device import pick_device
    from safety_core.nano.build.pipeline import Build
    from safety_core.nano.build.recipes import RECIPES

    if small and smoke:
        raise typer.BadParameter("--small and --smoke exclude each other")
    recipe = RECIPES["small" if small else "smoke" if smoke else "shipped"]
    root = out or Path("build") / f"nano-{recipe.name}"
    with exit_on_error():
        Build(recipe=recipe, root=root, device=str(pick_device(device)), show=progress).run(step)
    if step is not None:
        typer.echo(f"{step}: done")
    else:
        typer.echo((root / "report" / "report.md").read_text())
        typer.echo(f"checkpoint: {root / 'safevlm-nano'}")
        bars = json.loads((root / "report" / "report.json").read_text())["bars"]
        if not all(bar["passed"] for bar in bars):
            raise typer.Exit(BARS_NOT_CLEARED)


@app.command("rules")
def print_rules() -> None:
    """Print the labelling table."""
    from safety_core.nano.language.labelling_rules import format_rules

    typer.echo(format_rules(), nl=False)


@app.command("suite")
def write_suite(out: Annotated[Path, typer.Argument(help="Folder to write.")]) -> None:
    """Generate the held-out suite that the shipped checkpoint is evaluated on."""
    from safety_core.nano.build.suite import ensure_held_out_suite

    with exit_on_error():
        typer.echo(ensure_held_out_suite(out))


@app.command("examples")
def write_example_pictures(out: Annotated[Path, typer.Argument(help="Folder to write.")] = Path("examples")) -> None:
    """Render the four example pictures."""
    from safety_core.nano.build.examples import write_examples

    with exit_on_error():
        for path in write_examples(out).values():
            typer.echo(path)


@app.command("conversation")
def draw_conversation(
    out: Annotated[Path, typer.Argument(help="SVG file to write.")],
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = NANO_CHECKPOINT,
) -> None:
    """Run a conversation about the example pictures, render it as SVG, and print it as rows of a Markdown table."""
    from safety_core.conversation_picture import format_table, render_svg, run_conversation
    from safety_core.engine.load import load_guard
    from safety_core.nano.build.conversation import list_questions

    with exit_on_error():
        exchanges = run_conversation(load_guard(find_checkpoint(checkpoint), device="cpu"), list_questions())
        write_text(out, render_svg(exchanges))
    typer.echo(format_table(exchanges, "../examples"), nl=False)
