"""Items of an audited source: a picture, a text, or both, with their place. Contents are read when they are needed.

Knows no file format of records.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from safety_core.errors import ImageError
from safety_core.inputs.conversation import Turn

MAX_PICTURES = 8
"""Maximum number of pictures of an item, as in a request to the server."""

Kind = Literal["picture", "text", "pair"]


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A position in a source, from which its items can be read."""

    file: int = 0
    """Index of the file among the source's files."""

    offset: int = 0
    """Position in the file: bytes, or rows of a Parquet file."""

    row: int = 0
    """Lines or records of the file before the position, for the names of places."""


@dataclass(frozen=True, slots=True)
class FileRange:
    """A part of a file, such as a member of an archive."""

    file: Path
    offset: int
    size: int


Picture = Path | FileRange | bytes
"""Where the encoded bytes of a picture are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditItem:
    """One item of a source."""

    id: str
    """Name of the item; the record's id where it has one."""

    place: str
    """File, relative to the source, and the position in it."""

    cursor: Cursor
    """Position from which the item can be read again."""

    pictures: tuple[Picture, ...] = ()
    """The pictures, in order."""

    turns: tuple[Turn, ...] = ()
    """The user's words, or a conversation up to the user's last turn; empty for a picture."""

    label: tuple[int, int] | None = None
    """Indices of type and level, if the record has a label."""

    problem: str | None = None
    """Why the item cannot be read; None if it can. Does not quote the item."""

    @property
    def kind(self) -> Kind:
        """What is judged."""
        if self.pictures:
            return "pair" if self.turns else "picture"
        return "text"


def read_picture(picture: Picture, max_bytes: int) -> bytes:
    """Read the encoded bytes of a picture.

    Raises:
        ImageError: the file is missing, is no regular file, cannot be read, or has more than ``max_bytes``.
    """
    if isinstance(picture, bytes):
        content = picture
    else:
        try:
            content = _read_range(picture, max_bytes)
        except (OSError, ValueError) as exc:  # a path with a null character is a ValueError
            raise ImageError("The file of the image cannot be read.", code="image_unreadable", param="image") from exc
    if len(content) > max_bytes:
        raise ImageError(f"The image has more than {max_bytes} bytes.", code="image_too_large", param="image")
    return content


def _read_range(picture: Path | FileRange, max_bytes: int) -> bytes:
    """Read at most one byte more than accepted. The file is opened without waiting, for it may be a pipe."""
    place = FileRange(picture, 0, max_bytes + 1) if isinstance(picture, Path) else picture
    descriptor = os.open(place.file, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a regular file")
        stream.seek(place.offset)
        return stream.read(min(place.size, max_bytes + 1))


def clean_text(text: str) -> str:
    """Replace what no UTF-8 file can hold, such as the odd bytes of a file name."""
    return text.encode("utf-8", "backslashreplace").decode()
