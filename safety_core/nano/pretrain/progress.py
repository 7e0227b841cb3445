"""Progress bars of the build's steps."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class StepBar:
    """The progress bar of one step, as a context that yields a :class:`StepProgress`.

    Args:
        name: text in front of the bar.
        show: whether the bar is shown.
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

    def __enter__(self) -> "StepProgress":
        self._progress.start()
        return StepProgress(self._progress, self._name)

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()


class StepProgress:
    """Updates the bar of a step."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name = progress, name
        self._task = progress.add_task(name, total=None)

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` units are finished."""
        self._progress.update(self._task, completed=done, total=total)

    def update_part(self, part: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` units of a named part are finished."""
        self._progress.update(self._task, description=f"{self._name}: {part}", completed=done, total=total)
