"""Progress bars with the remaining time, on standard error: standard output is for results. Knows no command."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str, int, int], None]
"""Called with the name of a task, the steps that are done, and all steps; 0 if nobody knows how many."""


@contextmanager
def show_progress(*, shown: bool) -> Iterator[Advance]:
    """Show a bar for each task, which appears with its first call; none if they are not to be shown."""
    if not shown:
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(task: str, done: int, total: int) -> None:
            if task not in tasks:
                tasks[task] = bars.add_task(task, total=total or None)
            bars.update(tasks[task], completed=done, total=total or None)

        yield advance


def _ignore(task: str, done: int, total: int) -> None:
    pass
