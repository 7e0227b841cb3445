"""JSONL files: the project's own records, or objects with named fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safety_core.data.record_place import RecordPlace
from safety_core.dataset_audit.sources.fields import FieldReader
from safety_core.dataset_audit.sources.item import AuditItem, Cursor
from safety_core.dataset_audit.sources.lines import FileLine, stream_lines


@dataclass(frozen=True, slots=True)
class JsonlSource:
    """Lines of JSONL files, one item each; paths of pictures are relative to the file."""

    files: tuple[Path, ...]
    fields: FieldReader
    kind: str = "jsonl"

    def scan(self) -> Iterator[Cursor]:
        """Yield the position of every line that is not blank."""
        for line in self._stream_filled(Cursor()):
            if not line.cursor.row:
                self._check_first(line)
            yield line.cursor

    def stream(self, start: Cursor) -> Iterator[AuditItem]:
        """Yield the items from a position on."""
        for line in self._stream_filled(start):
            place = RecordPlace(self.files[line.cursor.file], line.cursor.row + 1)
            if not line.content:
                yield self.fields.create_bad_item(place, line.cursor, "the line is too long")
                continue
            try:
                text = line.content.decode()
            except UnicodeDecodeError:
                yield self.fields.create_bad_item(place, line.cursor, "the line is not UTF-8 text")
                continue
            yield self.fields.convert_line(text, place, line.cursor)

    def _stream_filled(self, start: Cursor) -> Iterator[FileLine]:
        for index in range(start.file, len(self.files)):
            begin = start if index == start.file else Cursor(index)
            for line in stream_lines(self.files[index], begin):
                if not line.content or line.content.strip():
                    yield line

    def _check_first(self, line: FileLine) -> None:
        """Raise ConfigError if the first line of a file has no field to judge: the others will not, either."""
        try:
            data = json.loads(line.content)
        except (ValueError, RecursionError):
            return
        if isinstance(data, dict) and "conversations" not in data:
            self.fields.check_columns(list(data), self.files[line.cursor.file])
