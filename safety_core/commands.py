"""What the commands share: how a file is read, and how an error of ours ends one.

Knows nothing of what any of them does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from safety_core.errors import CheckpointError, InputError, SafeVLMError

FAILED = 1
"""Exit status of a command that an error of ours ended."""


def read_bytes(path: Path) -> bytes:
    """A file that somebody named; raises InputError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path} cannot be read", code="file_unreadable") from exc


@contextmanager
def errors_as_exits() -> Iterator[None]:
    """Our own errors as one line on standard error and exit status 1; a checkpoint's damage with its kind."""
    try:
        yield
    except SafeVLMError as error:
        kind = f"{type(error).__name__}: " if isinstance(error, CheckpointError) else ""
        typer.echo(f"error: {kind}{error}", err=True)
        raise typer.Exit(FAILED) from error
