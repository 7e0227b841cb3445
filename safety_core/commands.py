"""What the commands share: how an error of ours ends one. Knows nothing of what any of them does."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from safety_core.errors import CheckpointError, SafeVLMError

FAILED = 1
"""Exit status of a command that an error of ours ended."""


@contextmanager
def errors_as_exits() -> Iterator[None]:
    """Our own errors as one line on standard error and exit status 1; a checkpoint's damage with its kind."""
    try:
        yield
    except SafeVLMError as error:
        kind = f"{type(error).__name__}: " if isinstance(error, CheckpointError) else ""
        typer.echo(f"error: {kind}{error}", err=True)
        raise typer.Exit(FAILED) from error
