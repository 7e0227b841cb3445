"""Parquet files with the contents of pictures, their paths, or texts. The library is imported only here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_core.data.record_place import RecordPlace
from safety_core.dataset_audit.sources.fields import FieldReader
from safety_core.dataset_audit.sources.item import AuditItem, Cursor
from safety_core.errors import ConfigError

EXTRA_NEEDED = "an audit needs pyarrow and jinja2: pip install 'safevlm-guard[data]'"

_ROWS = 16
"""Rows in memory at a time, because they contain whole pictures."""

_BUFFER = 1 << 20
"""Bytes of a column that are read at a time, however large a group of rows is."""


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """Rows of Parquet files; paths of pictures are relative to the file."""

    files: tuple[Path, ...]
    fields: FieldReader
    kind: str = "parquet"

    def scan(self) -> Iterator[Cursor]:
        """Yield the position of every row; a file that is no Parquet counts as one item."""
        for index, file in enumerate(self.files):
            content = _open(file)
            if content is None:
                yield Cursor(index)
                continue
            with content:
                self.fields.check_columns(list(content.schema_arrow.names), file)
                for row in range(content.metadata.num_rows):
                    yield Cursor(index, row, row)

    def stream(self, start: Cursor) -> Iterator[AuditItem]:
        """Yield the items from a position on."""
        for index in range(start.file, len(self.files)):
            file = self.files[index]
            content = _open(file)
            if content is None:
                yield self.fields.create_bad_item(RecordPlace(file), Cursor(index), "the file is not Parquet")
                continue
            with content:
                yield from self._stream_file(content, file, start if index == start.file else Cursor(index))

    def _stream_file(self, content: Any, file: Path, start: Cursor) -> Iterator[AuditItem]:
        first = 0
        for group in range(content.num_row_groups):
            rows = content.metadata.row_group(group).num_rows
            if start.offset < first + rows:
                yield from self._stream_group(content, file, Cursor(start.file, first), group, rows, start.offset)
            first += rows

    def _stream_group(
        self, content: Any, file: Path, begin: Cursor, group: int, rows: int, start: int
    ) -> Iterator[AuditItem]:
        """Yield the items of a group of rows from the row ``start`` of the file on; damage makes the rest bad items."""
        from pyarrow import ArrowException

        number, end = begin.offset, begin.offset + rows
        try:
            for batch in content.iter_batches(batch_size=_ROWS, row_groups=[group], use_threads=False):
                skipped = min(max(0, start - number), batch.num_rows)
                number += skipped
                for data in batch.slice(skipped).to_pylist():
                    cursor = Cursor(begin.file, number, number)
                    number += 1
                    yield self.fields.convert_row(data, RecordPlace(file, number), cursor)
        except (OSError, ValueError, ArrowException):  # a text that is no UTF-8 is a ValueError
            for row in range(max(number, start), end):
                place, cursor = RecordPlace(file, row + 1), Cursor(begin.file, row, row)
                yield self.fields.create_bad_item(place, cursor, "the row cannot be read as Parquet")


def _open(file: Path) -> Any:
    """Open a file; None if it is no Parquet file.

    Raises:
        ConfigError: the library is not installed.
    """
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    try:
        return ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)
    except (OSError, ValueError, ArrowException):
        return None
