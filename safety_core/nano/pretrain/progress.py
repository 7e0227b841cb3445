"""Progress bars of the build's steps. Knows nothing of what the steps do."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class StepBar:
    """A progress bar for one step, or nothing.

    As a context it gives a function of (done, total), and optionally of what is being done.

    Args:
        name: what stands in front of the bar.
        show: whether there is one.
    """

    def __init__(self, name: str, show: bool) -> None:
        self._name = name
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            disable=not show,
        )

    def __enter__(self) -> "Advance":
        self._progress.start()
        return Advance(self._progress, self._name)

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()


class Advance:
    """Moves a step's bar."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name = progress, name
        self._task = progress.add_task(name, total=None)

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` are done."""
        self._progress.update(self._task, completed=done, total=total)

    def within(self, part: str, done: int, total: int) -> None:
        """The same for one part of the step, which is named."""
        self._progress.update(self._task, description=f"{self._name}: {part}", completed=done, total=total)
