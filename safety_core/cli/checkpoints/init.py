"""``safevlm init``: creates an untrained checkpoint for a backbone."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error


def init(
    out: Annotated[Path, typer.Argument(help="Checkpoint directory to write.")],
    backbone: Annotated[str, typer.Option(help="Folder in Hugging Face layout, or hub id.")],
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of a hub repository.")] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="JSON file with types, levels and safe_type.")] = None,
    hints: Annotated[Path | None, typer.Option(help="JSON file with hints by type and level name.")] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Use the shape of the paper's modules instead of the default.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE", help="Set any field of the modules' shape, e.g. head.num_heads=4."
        ),
    ] = None,
    template: Annotated[
        str, typer.Option(help="Conversation format: auto, vicuna (LLaVA-1.5's) or chat (the tokenizer's).")
    ] = "auto",
    reader: Annotated[
        str | None, typer.Option(help="Reader of lettering in pictures to train for, and to serve with: rapidocr.")
    ] = None,
    include_backbone: Annotated[
        bool, typer.Option("--include-backbone", help="Copy the backbone into the checkpoint.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 0,
) -> None:
    """Create an untrained checkpoint for a backbone; reads the backbone's config, not its weights."""
    with exit_on_error():
        from safety_core.training.config_file import parse_assignments
        from safety_core.training.starting_checkpoint import create_fresh_checkpoint

        checkpoint = create_fresh_checkpoint(
            backbone,
            out,
            revision=revision,
            taxonomy=taxonomy,
            hints=hints,
            paper=paper,
            changes=parse_assignments(set_ or ()),
            template=template,
            reader=reader,
            include_backbone=include_backbone,
            seed=seed,
        )
    typer.echo(f"{checkpoint}: untrained; train it with: safevlm train --backbone {checkpoint} --data DATA --out OUT")
