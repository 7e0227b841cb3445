"""``safevlm small align`` and ``look``: teach the projector what photographs show, and measure what a model names."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error
from safety_core.cli.small.parts import find_small_checkpoint
from safety_core.errors import InputError

BUILD_FOLDER = Path("build/safevlm-small/alignment")
"""Default folder of everything that is made on the way; never committed."""

DataFolder = Annotated[Path, typer.Option("--data", help="Folder of the public sets; docs/safevlm-small-data.md.")]
_OutFolder = Annotated[Path, typer.Option("--out", help="Build folder: samples, features, state, projector.")]
_Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


def align_projector(
    data: DataFolder,
    out: _OutFolder = BUILD_FOLDER,
    backbone: Annotated[
        Path | None, typer.Option(help="Assembled backbone; default: that of weights/safevlm-small.")
    ] = None,
    samples: Annotated[int, typer.Option(min=20, help="Number of training samples.")] = 6000,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps; default: the recipe's.")] = None,
    samples_only: Annotated[bool, typer.Option("--samples-only", help="Write the samples and train nothing.")] = False,
    device: _Device = "auto",
) -> None:
    """Write the alignment's samples and train LLaVA's projector on them; continues where it was interrupted."""
    from dataclasses import replace

    from safety_core.model.device import pick_device
    from safety_core.small.alignment.pipeline import align, write_alignment_samples
    from safety_core.small.alignment.projector.bare_model import load_bare_model
    from safety_core.small.alignment.projector.recipe import Recipe

    folder = backbone or find_small_checkpoint() / "backbone"
    with exit_on_error():
        if samples_only:
            write_alignment_samples(load_bare_model(folder), data, out, total=samples, say=typer.echo)
            return
        recipe = Recipe() if steps is None else replace(Recipe(), steps=steps)
        align(folder, data, out, recipe, total=samples, device=str(pick_device(device)), say=typer.echo)


def look_at_photographs(
    data: DataFolder,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Checkpoint or bare backbone; default: weights/safevlm-small/backbone.")
    ] = None,
    projector: Annotated[Path | None, typer.Option(help="Use this projector in place of the model's own.")] = None,
    out: _OutFolder = BUILD_FOLDER,
    split: Annotated[str, typer.Option(help="development or test.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="Largest number of questions in a row.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Write the figures to this JSON file as well.")] = None,
    device: _Device = "auto",
) -> None:
    """Measure what a model names in photographs that it was not trained on, with intervals."""
    from safety_core.model.device import pick_device
    from safety_core.small.alignment.measuring.figures import format_figures, write_figures
    from safety_core.small.alignment.pipeline import measure_model

    folder = checkpoint or find_small_checkpoint() / "backbone"
    with exit_on_error():
        if split not in ("development", "test"):
            raise InputError(f"split: must be development or test, got {split!r}", code="split_unknown")
        measured = measure_model(
            folder,
            data,
            out,
            projector=projector,
            split="test" if split == "test" else "development",
            limit=limit,
            device=str(pick_device(device)),
        )
        if figures is not None:
            write_figures(measured, figures)
    typer.echo(format_figures(measured), nl=False)
