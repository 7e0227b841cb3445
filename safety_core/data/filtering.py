"""Leaves records of a JSONL file out that the list of an audit names (docs/audit.md).

Records are copied as they stand; only their ids are read. Knows no guard and no labels.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from safety_core.data.readers.fields import SourceRecord
from safety_core.data.readers.rows import read_jsonl_rows
from safety_core.data.record_place import RecordPlace
from safety_core.data.sample_records import parse_json
from safety_core.errors import ConfigError, SampleError
from safety_core.files import describe_read_error, open_atomically, open_text

REASONS = ("refused", "cautioned", "unjudged", "unreadable", "duplicate")
"""Reasons of an entry: the decision, that there is no verdict, or that an earlier record is nearly the same."""

DEFAULT_REASONS = REASONS[:-1]

LONGEST_ID = 1024
"""Most characters of an id; an audit names a record with a longer one by its place."""

_DECISIONS = REASONS[:2]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterReport:
    """What was left out."""

    kept: int
    dropped: int
    unknown: int
    """Entries with a chosen reason that name no record of the file."""


class _Entry(SourceRecord):
    id: str
    reason: str
    unsafe: float | None = None


def filter_records(
    data: Path,
    entries: Path,
    out: Path,
    *,
    reasons: Collection[str] = DEFAULT_REASONS,
    least_risk: float = 0.0,
) -> FilterReport:
    """Write the records of a file that the list does not name.

    Args:
        data: JSONL file of records, with unique ids.
        entries: the list, ``filter.jsonl`` of an audit.
        out: JSONL file to write, in the folder of ``data``, because paths of pictures are relative to it.
        reasons: reasons for which records are left out.
        least_risk: risk from which refused and cautioned records are left out, 0 to 1.

    Raises:
        ConfigError: a reason is unknown, ``out`` is in another folder or is ``data``, or the list names no record.
        SampleError: a file cannot be read, an entry or a record is malformed, or an id occurs twice.
    """
    if unknown := sorted(set(reasons) - set(REASONS)):
        raise ConfigError(f"reason: must be among {list(REASONS)}, got {unknown}")
    if out.resolve() == data.resolve() or out.resolve().parent != data.resolve().parent:
        raise ConfigError(f"{out}: another file in the folder of {data} is needed; its paths are relative to it")
    named = _read_ids(entries, reasons, least_risk)
    found: set[str] = set()
    kept = 0
    with open_atomically(out) as stream:
        try:
            with open_text(data) as lines:
                for number, line in enumerate(lines, start=1):
                    if not line.strip():
                        continue
                    id = _read_id(line, RecordPlace(data, number))
                    if id in found:
                        raise RecordPlace(data, number).create_error("the id was left out in an earlier line", "id")
                    if id in named:
                        found.add(id)
                        continue
                    stream.write(line if line.endswith("\n") else line + "\n")
                    kept += 1
        except (OSError, UnicodeDecodeError) as exc:
            raise RecordPlace(data).create_error(f"the file {describe_read_error(exc)}", "file") from exc
        if named and not found:
            raise ConfigError(f"{entries}: no entry names a record of {data}")
    return FilterReport(kept=kept, dropped=len(found), unknown=len(named) - len(found))


def _read_ids(entries: Path, reasons: Collection[str], least_risk: float) -> set[str]:
    ids: set[str] = set()
    for row in read_jsonl_rows(entries):
        if isinstance(row, SampleError):
            raise row
        try:
            entry = _Entry.model_validate(row.data)
        except ValidationError as exc:
            raise row.place.translate_error(exc) from exc
        below = entry.reason in _DECISIONS and (entry.unsafe or 0.0) < least_risk
        if entry.reason in reasons and not below:
            ids.add(entry.id)
    return ids


def _read_id(line: str, place: RecordPlace) -> str:
    """Read the id of a record, or the name of the place that an audit gives to a record without one."""
    try:
        record = parse_json(line, place)
    except SampleError:
        return f"{place.file.name}:{place.line}"
    id = record.get("id") if isinstance(record, dict) else None
    known = isinstance(id, str) and 0 < len(id) <= LONGEST_ID
    return str(id) if known else f"{place.file.name}:{place.line}"
