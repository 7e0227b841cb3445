"""What the commands share: how a file is read, and how an error of ours ends one.

Knows nothing of what any of them does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from safety_core.errors import CheckpointError, InputError, SafeVLMError
from safety_core.files import why_unreadable

FAILED = 1
"""Exit status of a command that an error of ours ended."""

SHIPPED_CHECKPOINT = Path("weights/safevlm-nano")
"""The checkpoint in the repository, relative to its root; the default of commands."""


def read_bytes(path: Path) -> bytes:
    """A file that somebody named; raises InputError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path} {why_unreadable(exc)}", code="file_unreadable") from exc


def find_checkpoint(path: Path) -> Path:
    """The path of a checkpoint; the default one is also found next to the package, from any working directory.

    Returns ``path`` itself if neither exists; reading it then reports the error.
    """
    beside = Path(__file__).resolve().parents[2] / path
    return beside if path == SHIPPED_CHECKPOINT and not path.is_dir() and beside.is_dir() else path


@contextmanager
def errors_as_exits() -> Iterator[None]:
    """Print our own errors as one line on standard error and exit with status 1; damage to a checkpoint with its kind.

    Operating system errors on reading or writing files are printed in the same way.
    """
    try:
        yield
    except SafeVLMError as error:
        kind = f"{type(error).__name__}: " if isinstance(error, CheckpointError) else ""
        typer.echo(f"error: {kind}{error}", err=True)
        raise typer.Exit(FAILED) from error
    except BrokenPipeError:
        raise  # whoever read our output has gone; typer ends quietly
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {place}{error.strerror or type(error).__name__}", err=True)
        raise typer.Exit(FAILED) from error
