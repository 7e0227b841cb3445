"""Reads text and JSON files that users name, with any byte order mark, and writes files completely or not at all.

Standard library only.
"""

import codecs
import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks that editors and shells on Windows write, and their encodings."""


def open_text(path: Path, *, newline: str | None = None) -> TextIO:
    """Open a text file for reading: UTF-8, or the encoding of its byte order mark, which is not part of the text.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as stream:
        start = stream.read(3)
    encoding = next((name for mark, name in _ENCODINGS if start.startswith(mark)), "utf-8")
    return path.open(encoding=encoding, newline=newline)


def read_text(path: Path) -> str:
    """Read a text file, decoded as by :func:`open_text`.

    Raises:
        OSError: the file cannot be read.
        UnicodeDecodeError: the file is not text in this encoding.
    """
    with open_text(path) as stream:
        return stream.read()


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not JSON.
    """
    return json.loads(read_text(path))


def require_plain(path: Path) -> None:
    """Reject a pipe, a socket or a device, because opening or reading it may block forever.

    Raises:
        OSError: the path is one of these, or does not exist.
    """
    if not (stat.S_ISREG(mode := path.stat().st_mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is not a regular file")


def describe_read_error(error: Exception, content: str = "text") -> str:
    """Describe why a file cannot be read, as a phrase after its name: ``cannot be read: there is no such file``.

    Args:
        error: the exception raised by reading the file.
        content: the expected content, e.g. ``JSON``.
    """
    if isinstance(error, FileNotFoundError):
        return "cannot be read: there is no such file"
    if isinstance(error, IsADirectoryError):
        return "cannot be read: it is a folder"
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or type(error).__name__}"
    if isinstance(error, UnicodeDecodeError):
        return f"cannot be read as {content}: it is not UTF-8 text"
    if isinstance(error, json.JSONDecodeError):
        return f"cannot be read as {content} (line {error.lineno})"
    return f"cannot be read as {content}"


@contextmanager
def open_atomically(path: Path) -> Iterator[TextIO]:
    """Open a text file for writing. The file gets its name only once it is complete, and is removed after an error.

    Missing parent folders are created, and removed again after an error.
    """
    with create_folders(path.parent):
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with partial.open("w", encoding="utf-8") as stream:
                yield stream
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Write a text file as :func:`open_atomically` does."""
    with open_atomically(path) as stream:
        stream.write(text)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a binary file completely or not at all, as :func:`open_atomically` does."""
    with create_folders(path.parent):
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            partial.write_bytes(content)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def create_folders(folder: Path) -> Iterator[None]:
    """Create a folder and its missing parents; after an error, new folders that are still empty are removed."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise
