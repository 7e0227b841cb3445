"""``safevlm novelty``: fits and measures the signal that a request lies outside of what a checkpoint was trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safety_core.cli.common import DEFAULT_CHECKPOINT, exit_on_error, find_checkpoint

if TYPE_CHECKING:
    from safety_core.data.samples import Sample

app = typer.Typer(no_args_is_help=True, help="Fit and measure how far requests lie outside of what was trained.")

Files = Annotated[list[Path], typer.Option(help="JSONL file of samples; repeatable.")]
Limit = Annotated[int, typer.Option(min=1, help="Maximum number of texts, and of images, that are drawn.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Quiet = Annotated[bool, typer.Option("--progress/--quiet", help="Show the progress.")]


@app.command()
def fit(
    familiar: Files,
    held_out: Files,
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = DEFAULT_CHECKPOINT,
    limit: Limit = 4000,
    device: Device = "auto",
    progress: Quiet = True,
) -> None:
    """Fit what is familiar to samples that were trained on; ranks distances by held-out samples of the same sources."""
    from safety_core.model.device import pick_device
    from safety_core.novelty.fitting import fit_checkpoint

    with exit_on_error():
        fit_checkpoint(
            find_checkpoint(checkpoint),
            familiar,
            held_out,
            limit=limit,
            device=str(pick_device(device)),
            report=_print_progress if progress else _ignore_progress,
        )


@app.command()
def measure(
    familiar: Files,
    novel: Annotated[
        list[str],
        typer.Option(help="Unfamiliar set: languages, noise, drawings, screenshots, or NAME=FILE.jsonl; repeatable."),
    ],
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = DEFAULT_CHECKPOINT,
    limit: Limit = 1000,
    device: Device = "auto",
    progress: Quiet = True,
) -> None:
    """Measure how well novelty tells sets of unfamiliar inputs from familiar ones; prints a Markdown table."""
    import tempfile

    from safety_core.model.checkpoint.checkpoint import load_checkpoint
    from safety_core.model.device import pick_device
    from safety_core.novelty.fitting import draw_samples
    from safety_core.novelty.measuring import format_report, load_set
    from safety_core.novelty.measuring import measure as run

    with exit_on_error(), tempfile.TemporaryDirectory() as folder:
        model = load_checkpoint(find_checkpoint(checkpoint), device=str(pick_device(device)))
        sets: dict[str, list[Sample]] = {}
        for name in novel:
            loaded = load_set(name, model, Path(folder))
            sets |= {one: samples[:limit] for one, samples in loaded.items()}
        report = _print_progress if progress else _ignore_progress
        result = run(model, draw_samples(model, familiar, limit, seed=0), sets, report=report)
    typer.echo(format_report(result), nl=False)


def _print_progress(done: int, total: int) -> None:
    typer.echo(f"\r{done} of {total}", nl=done == total, err=True)


def _ignore_progress(done: int, total: int) -> None:
    pass
