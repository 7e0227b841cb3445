"""``safevlm small recall``: whether the language model repeats texts of the sets."""

from pathlib import Path
from typing import Annotated

import typer

from safety_core.cli.common import exit_on_error
from safety_core.cli.small.alignment import DataFolder
from safety_core.cli.small.parts import find_small_checkpoint


def measure_recall(
    data: DataFolder,
    checkpoint: Annotated[Path | None, typer.Option(help="Checkpoint; default: weights/safevlm-small.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Maximum number of texts of each kind and split.")] = 300,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Count captions and texts with personal data that a model completes word for word; prints figures only."""
    from safety_core.model.device import pick_device
    from safety_core.small.corpus.loading import load_records
    from safety_core.small.evaluation.recall import format_recall
    from safety_core.small.evaluation.recall import measure_recall as measure

    with exit_on_error():
        found = measure(
            checkpoint or find_small_checkpoint(), load_records(data), count=count, device=str(pick_device(device))
        )
    typer.echo(format_recall(found), nl=False)
