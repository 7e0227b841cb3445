"""Lines of a file with their positions, from any position on. Knows no format of a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safety_core.data.record_place import RecordPlace
from safety_core.dataset_audit.sources.item import Cursor
from safety_core.errors import ConfigError
from safety_core.files import describe_read_error

MAX_LINE = 4 << 20
"""Maximum length of a line in bytes; the rest of a longer one is skipped."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class FileLine:
    """A line and where it begins."""

    cursor: Cursor
    end: Cursor
    """Position of the next line."""

    content: bytes
    """The line with its end; empty if it is longer than ``MAX_LINE``."""


def stream_lines(file: Path, start: Cursor) -> Iterator[FileLine]:
    """Yield the lines of a UTF-8 file from a position on.

    Raises:
        ConfigError: the file cannot be read, or is UTF-16, in which lines have no positions.
    """
    try:
        with file.open("rb") as stream:
            mark = stream.read(3)
            if mark.startswith(_UTF_16):
                raise ConfigError(f"{file}: UTF-8 is needed, this is UTF-16")
            offset, row = start.offset, start.row
            if not offset and mark == _BYTE_ORDER_MARK:
                offset = len(mark)
            stream.seek(offset)
            while content := stream.readline(MAX_LINE + 1):
                length, whole = len(content), content
                while len(content) > MAX_LINE and not content.endswith(b"\n"):
                    whole = b""
                    content = stream.readline(MAX_LINE + 1)
                    length += len(content)
                end = Cursor(start.file, offset + length, row + 1)
                yield FileLine(Cursor(start.file, offset, row), end, whole)
                offset, row = end.offset, end.row
    except OSError as exc:
        raise ConfigError(str(RecordPlace(file).create_error(f"the file {describe_read_error(exc)}", "file"))) from exc
