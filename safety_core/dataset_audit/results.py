"""Writes the results of an audit, part by part: the table of all items, the list to filter by, and what was unreadable.

The summary and the candidates for examples come from the same pass.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from safety_core.data.labelling.label_sheet import escape_formula
from safety_core.dataset_audit.duplicates.index import DuplicateGroups
from safety_core.dataset_audit.part_table import INTERNAL, JUDGED, UNREADABLE, create_schema, import_arrow
from safety_core.dataset_audit.reporting.candidates import Candidates
from safety_core.dataset_audit.reporting.summary import Summary
from safety_core.files import open_atomically

if TYPE_CHECKING:
    import pyarrow as pa

RECORDS_FILE, FILTER_FILE, FILTER_SHEET, UNREADABLE_FILE = (
    "records.parquet",
    "filter.jsonl",
    "filter.csv",
    "unreadable.jsonl",
)

DUPLICATE = "duplicate"
"""Reason of an item that is a near-duplicate of an earlier one; other reasons are outcomes and decisions."""

_FILTER_COLUMNS = ("id", "place", "reason", "type", "level", "unsafe")
_ROWS = 8192
"""Least number of rows of a group of the table, except the last."""


def write_results(
    tables: Iterable[pa.Table], groups: DuplicateGroups | None, out: Path, summary: Summary, candidates: Candidates
) -> None:
    """Write all files but the report, each completely or not at all.

    Args:
        tables: the parts, in order.
        groups: near-duplicates; None if they were not looked for.
        out: the folder.
        summary: counts, which are completed.
        candidates: candidates for examples, which are completed.
    """
    arrow = import_arrow()
    with ExitStack() as stack:
        records = stack.enter_context(_RecordWriter(out / RECORDS_FILE, create_result_schema()))
        filters = stack.enter_context(open_atomically(out / FILTER_FILE))
        sheet = _open_sheet(stack.enter_context(open_atomically(out / FILTER_SHEET)))
        unreadable = stack.enter_context(open_atomically(out / UNREADABLE_FILE))
        pictures = 0
        for table in tables:
            rows = table.to_pylist()
            for row in rows:
                pictures = _add_groups(row, groups, pictures)
                summary.count(row)
                candidates.offer(row)
                if row["outcome"] == UNREADABLE:
                    unreadable.write(_dump({name: row[name] for name in ("id", "place", "problem")}))
                if (reason := find_reason(row)) is not None:
                    entry = {name: row.get(name) for name in _FILTER_COLUMNS} | {"reason": reason}
                    filters.write(_dump(entry))
                    sheet.writerow([escape_formula("" if value is None else str(value)) for value in entry.values()])
            records.write(arrow.Table.from_pylist(rows, schema=create_result_schema()))
    if groups is not None:
        summary.count_groups(groups)


def create_result_schema() -> pa.Schema:
    """Create the schema of the table of all items: that of the parts, and groups instead of signatures."""
    arrow = import_arrow()
    fields = [field for field in create_schema() if field.name not in INTERNAL]
    group = arrow.int64()
    fields += [
        arrow.field("duplicate_group", group),
        arrow.field("text_group", group),
        arrow.field("picture_groups", arrow.list_(group)),
    ]
    return arrow.schema(fields)


def find_reason(row: dict[str, Any]) -> str | None:
    """Find why an item would be left out: it is unreadable or unjudged, its decision, or that it is a duplicate."""
    if row["outcome"] != JUDGED:
        return str(row["outcome"])
    if row["decision"] != "allowed":
        return str(row["decision"])
    first = row["duplicate_group"]
    return DUPLICATE if first is not None and first != row["number"] else None


def _add_groups(row: dict[str, Any], groups: DuplicateGroups | None, pictures: int) -> int:
    """Add the groups of an item to its row; returns the position after its pictures."""
    row |= {"duplicate_group": None, "text_group": None, "picture_groups": []}
    if groups is None:
        return pictures
    number, end = row["number"], pictures + len(row["picture_hashes"] or ())
    group = int(groups.items[number])
    if groups.sizes[group] > 1:
        row["duplicate_group"] = group
    if row["text_digest"] is not None:
        row["text_group"] = int(groups.texts[number])
    row["picture_groups"] = groups.pictures[pictures:end].tolist()
    return end


def _open_sheet(stream: TextIO) -> Any:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_FILTER_COLUMNS)
    return writer


def _dump(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


class _RecordWriter:
    """Writes a Parquet file in groups of rows of an even size; the file gets its name once it is complete."""

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self._file = file
        self._partial = file.with_suffix(".partial")
        self._schema = schema
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> _RecordWriter:
        from pyarrow.parquet import ParquetWriter

        self._writer = ParquetWriter(self._partial, self._schema, compression="zstd")
        return self

    def write(self, table: pa.Table) -> None:
        """Add rows."""
        self._waiting.append(table)
        if sum(waiting.num_rows for waiting in self._waiting) >= _ROWS:
            self._flush()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is None:
            self._flush()
        self._writer.close()
        if error is None:
            self._partial.replace(self._file)
        else:
            self._partial.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._waiting:
            joined = import_arrow().concat_tables(self._waiting).combine_chunks()
            self._writer.write_table(joined, row_group_size=max(1, joined.num_rows))
            self._waiting = []
