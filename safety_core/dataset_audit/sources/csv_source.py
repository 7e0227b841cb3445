"""CSV files with a header; cells are divided by commas, semicolons or tabs."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_core.data.record_place import RecordPlace
from safety_core.dataset_audit.sources.fields import FieldReader
from safety_core.dataset_audit.sources.item import AuditItem, Cursor
from safety_core.dataset_audit.sources.lines import stream_lines
from safety_core.errors import ConfigError

Row = list[str] | None
"""The cells of a row; None if the row is malformed."""


@dataclass(slots=True)
class _Position:
    """How far a file was read."""

    end: Cursor


@dataclass(frozen=True, slots=True)
class _Header:
    cells: Sequence[str]
    delimiter: str
    end: Cursor
    """Position of the first row."""


@dataclass(frozen=True, slots=True)
class CsvSource:
    """Rows of CSV files; paths of pictures are relative to the file."""

    files: tuple[Path, ...]
    fields: FieldReader
    kind: str = "csv"

    def scan(self) -> Iterator[Cursor]:
        """Yield the position of every row below a header."""
        for index, file in enumerate(self.files):
            header = _read_header(file, index)
            if header is None:
                continue
            self.fields.check_columns(list(header.cells), file)
            for cursor, _, _ in _stream_rows(file, header.end, header.delimiter):
                yield cursor

    def stream(self, start: Cursor) -> Iterator[AuditItem]:
        """Yield the items from a position on."""
        for index in range(start.file, len(self.files)):
            file = self.files[index]
            header = _read_header(file, index)
            if header is None:
                continue
            begin = start if index == start.file and start.offset else header.end
            for cursor, cells, line in _stream_rows(file, begin, header.delimiter):
                yield self._convert_cells(cells, header.cells, RecordPlace(file, line), cursor)

    def _convert_cells(self, cells: Row, header: Sequence[str], place: RecordPlace, cursor: Cursor) -> AuditItem:
        if cells is None:
            return self.fields.create_bad_item(place, cursor, "the row cannot be read as CSV in UTF-8")
        if len(cells) > len(header):
            return self.fields.create_bad_item(place, cursor, "the row has more cells than the header")
        row: dict[str, Any] = dict.fromkeys(header)
        row |= zip(header, cells, strict=False)
        return self.fields.convert_row(row, place, cursor)


def _read_header(file: Path, index: int) -> _Header | None:
    """Read the header of a file; None if the file is empty. Raises ConfigError if it is none."""
    first = next(stream_lines(file, Cursor(index)), None)
    if first is None:
        return None
    try:
        # Spreadsheets write semicolons where a comma divides the parts of a number.
        delimiter = max(",;\t", key=first.content.decode().count)
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{file}: the header is not UTF-8 text") from exc
    start = Cursor(index, first.cursor.offset)
    rows = _stream_rows(file, start, delimiter)
    _, cells, _ = next(rows)
    if cells is None:
        raise ConfigError(f"{file}: the header cannot be read as CSV")
    after = next(rows, None)
    end = Cursor(index, file.stat().st_size, 1) if after is None else after[0]
    return _Header(cells, delimiter, end)


def _stream_rows(file: Path, start: Cursor, delimiter: str) -> Iterator[tuple[Cursor, Row, int]]:
    """Yield the rows that are not blank: position, cells, and the number of the row's last line."""
    position = _Position(start)
    reader = csv.reader(_decode_lines(file, start, position), delimiter=delimiter)
    while True:
        begin = position.end
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:  # for example a cell that never ends; the reader goes on with the next line
            yield begin, None, position.end.row
            continue
        if cells:
            sound = all(_is_text(cell) for cell in cells)
            yield begin, cells if sound else None, position.end.row


def _decode_lines(file: Path, start: Cursor, position: _Position) -> Iterator[str]:
    for line in stream_lines(file, start):
        position.end = line.end
        # A line that is too long makes its row malformed.
        yield (line.content or b"\xff\n").decode("utf-8", "surrogateescape")


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True
