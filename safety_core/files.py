"""Files named by users: byte order marks are accepted, and files are written completely or not at all.

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
"""Byte order marks, as written by editors and shells on Windows, and the encodings that they indicate."""


def open_text(path: Path, *, newline: str | None = None) -> TextIO:
    """A text file open for reading: UTF-8, or the encoding of its byte order mark, which is not part of the text.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as stream:
        start = stream.read(3)
    encoding = next((name for mark, name in _ENCODINGS if start.startswith(mark)), "utf-8")
    return path.open(encoding=encoding, newline=newline)


def read_text(path: Path) -> str:
    """A text file's content, decoded as by :func:`open_text`.

    Raises:
        OSError: the file cannot be read.
        UnicodeDecodeError: it is no such text.
    """
    with open_text(path) as stream:
        return stream.read()


def read_json(path: Path) -> Any:
    """A JSON file's content.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no JSON text.
    """
    return json.loads(read_text(path))


def require_plain(path: Path) -> None:
    """Refuse a pipe, a socket or a device, which could be waited for, or read, without end.

    Raises:
        OSError: it is one, or there is nothing.
    """
    if not (stat.S_ISREG(mode := path.stat().st_mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is no plain file")


def why_unreadable(error: Exception, content: str = "text") -> str:
    """What is wrong with a file, for a message that starts with its name: ``cannot be read: there is no such file``.

    Args:
        error: what reading it raised.
        content: what the file should hold, e.g. ``JSON``.
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
        return f"cannot be read as {content}: it is no UTF-8 text"
    if isinstance(error, json.JSONDecodeError):
        return f"cannot be read as {content} (line {error.lineno})"
    return f"cannot be read as {content}"


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """A text file to write, renamed to its final name once it is complete; removed after an error.

    Missing parent folders are created, and removed again after an error.
    """
    with folders_made(path.parent):
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with partial.open("w", encoding="utf-8") as stream:
                yield stream
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Write a text file as :func:`written_whole` does."""
    with written_whole(path) as stream:
        stream.write(text)


@contextmanager
def folders_made(folder: Path) -> Iterator[None]:
    """Create a folder and its missing parents; after an error, those that are still empty are removed."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise
