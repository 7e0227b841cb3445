"""``safevlm small build`` and ``card``: build the checkpoint from a folder of public sets, and state its figures."""

import json
from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error, read_bytes
from safety_core.cli.small.parts import find_small_checkpoint, show_progress
from safety_core.errors import InputError

BUILD_FOLDER = Path("build/safevlm-small/build")
"""Default working folder; never committed."""


def build_checkpoint(
    data: Annotated[Path, typer.Option("--data", help="Folder of the public sets; docs/safevlm-small-data.md.")],
    out: Annotated[Path, typer.Option(help="Working folder: files, states, checkpoints.")] = BUILD_FOLDER,
    step: Annotated[str | None, typer.Option(help="Run this step only.")] = None,
    until: Annotated[str | None, typer.Option(help="Stop after this step.")] = None,
    sets: Annotated[str, typer.Option(help="all, or permissive: only sets whose terms allow any use.")] = "all",
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="SET", help="Train and calibrate the head on no photograph of this set; repeatable."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Use backbone, files, alignment and training on words of this build.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Continue the trainings of this checkpoint, with fewer words and replies.")
    ] = None,
    fresh: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With --weights: a file of our texts that is trained on whole; repeatable."),
    ] = None,
    prompt_layers: Annotated[
        int | None, typer.Option(min=0, help="Layers after which the head reads words; default: the recipe's.")
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the words; default: the recipe's.")] = None,
    wheels: Annotated[Path | None, typer.Option(help="Take the parts' wheels from this folder.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show progress bars.")] = True,
) -> None:
    """Build safevlm-small: parts, files, trainings, thresholds, checkpoint; continues where it was interrupted."""
    from dataclasses import replace

    from safety_core.model.device import pick_device
    from safety_core.small.build.pipeline import Build
    from safety_core.small.build.recipe import Recipe

    recipe = Recipe() if weights is None else Recipe().shorten()
    if fresh:
        recipe = replace(recipe, fresh=tuple(f"own/{name}" for name in fresh))
    if prompt_layers is not None:
        recipe = replace(recipe, safety={**recipe.safety, "prompt_layers": prompt_layers})
    if epochs is not None:
        recipe = replace(recipe, words={**recipe.words, "epochs": epochs})
    with exit_on_error(), show_progress(visible=progress) as shown:
        if sets not in ("all", "permissive"):
            raise InputError(f"sets: must be all or permissive, got {sets!r}", code="sets_unknown")
        Build(
            data=data,
            root=out,
            recipe=recipe,
            progress=shown,
            wheels=wheels,
            start=start,
            weights=weights,
            without=tuple(without or ()),
            permissive=sets == "permissive",
            device=pick_device(device).type,
            show=progress,
        ).run(only=step, until=until)


def write_model_card(
    report: Annotated[Path, typer.Option(help="report.md of `safevlm evaluate --suite real` on the test split.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Checkpoint; default: weights/safevlm-small.")] = None,
    names: Annotated[Path | None, typer.Option(help="Figures that `safevlm small look` wrote.")] = None,
    recall: Annotated[Path | None, typer.Option(help="The table that `safevlm small recall` printed.")] = None,
    agreement: Annotated[
        Path | None, typer.Option(help="The table that `safevlm small replies agree` printed.")
    ] = None,
) -> None:
    """Write measured figures into the model card of the small checkpoint, and renew its manifest."""
    from safety_core.model.checkpoint.checkpoint import CARD_FILE, read_spec
    from safety_core.model.checkpoint.sha256_manifest import replace_file
    from safety_core.small.build.model_card import format_model_card

    folder = checkpoint or find_small_checkpoint()
    with exit_on_error():
        card = format_model_card(
            report=read_bytes(report).decode(),
            names=[] if names is None else json.loads(read_bytes(names)),
            recall="" if recall is None else read_bytes(recall).decode(),
            agreement="" if agreement is None else read_bytes(agreement).decode(),
            provenance=read_spec(folder).provenance,
        )
        replace_file(folder, CARD_FILE, card.encode())
