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
"""The checkpoint that comes with the repository, seen from its top; commands take it where none is named."""


def read_bytes(path: Path) -> bytes:
    """A file that somebody named; raises InputError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path} {why_unreadable(exc)}", code="file_unreadable") from exc


def find_checkpoint(path: Path) -> Path:
    """A checkpoint as it was named; the default one is also found beside the package, whatever folder this is.

    Returns ``path`` itself where there is nothing at either place: whoever reads it says so.
    """
    beside = Path(__file__).resolve().parents[1] / path
    return beside if path == SHIPPED_CHECKPOINT and not path.is_dir() and beside.is_dir() else path


@contextmanager
def errors_as_exits() -> Iterator[None]:
    """Our own errors as one line on standard error and exit status 1; a checkpoint's damage with its kind.

    So are files that the system does not let us read or write, whoever tried.
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
