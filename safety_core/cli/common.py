"""Functions that several commands share: reading files, finding the checkpoint, exiting on errors. Knows no command."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from safety_core.errors import CheckpointError, InputError, SafeVLMError, SampleError
from safety_core.files import describe_read_error

READ_PICTURES = typer.Option(help="Whether lettering in images is read and judged: auto, true or false.")
"""Option of commands that judge images; ``auto`` does as the checkpoint says."""

FAILED = 1
"""Exit status of a command that failed with one of our errors."""

SMALL_CHECKPOINT = Path("weights/safevlm-small")
"""Path of the checkpoint for real words and photographs, relative to the repository's root."""

NANO_CHECKPOINT = Path("weights/safevlm-nano")
"""Path of the miniature, relative to the repository's root."""

DEFAULT_CHECKPOINT = SMALL_CHECKPOINT
"""The checkpoint that commands and server use if none is named."""


def read_bytes(path: Path) -> bytes:
    """Read a file named by the user; raises InputError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path} {describe_read_error(exc)}", code="file_unreadable") from exc


def find_checkpoint(path: Path) -> Path:
    """Find a checkpoint; a shipped one is also found next to the package, from any working directory.

    Returns ``path`` itself if neither exists; reading it then reports the error.
    """
    candidate = Path(__file__).resolve().parents[2] / path
    shipped = path in (SMALL_CHECKPOINT, NANO_CHECKPOINT)
    return candidate if shipped and not path.is_dir() and candidate.is_dir() else path


def print_skipped(errors: Sequence[SampleError]) -> None:
    """Print the errors of skipped records, and their number, on standard error."""
    for error in errors:
        typer.echo(f"skipped: {error}", err=True)
    if errors:
        typer.echo(f"skipped {len(errors)} records", err=True)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print one of our errors as one line on standard error and exit with status 1; a CheckpointError with its class.

    Operating system errors on reading or writing files are printed in the same way.
    """
    try:
        yield
    except SafeVLMError as error:
        kind = f"{type(error).__name__}: " if isinstance(error, CheckpointError) else ""
        typer.echo(f"error: {kind}{error}", err=True)
        raise typer.Exit(FAILED) from error
    except BrokenPipeError:
        raise  # the reader of our output has closed the pipe; typer exits quietly
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {place}{error.strerror or type(error).__name__}", err=True)
        raise typer.Exit(FAILED) from error
