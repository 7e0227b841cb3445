"""The sheet on which a person confirms proposed labels: a CSV file, one row for each record, for any spreadsheet.

``type`` and ``level`` hold the proposal until somebody changes them; a row counts once ``confirmed`` says yes. The
sheet shows texts, so it is as confidential as the records. Cells that a spreadsheet would take for a formula begin with
an apostrophe. Knows no model and no data file.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from safety_core.data.labels import parse_level
from safety_core.data.readers.fields import FilledText, SourceRecord
from safety_core.data.readers.rows import read_csv_rows
from safety_core.data.record_place import RecordPlace
from safety_core.data.samples import RiskLabel
from safety_core.files import open_atomically
from safety_core.taxonomy import Taxonomy

COLUMNS = (
    "key",
    "line",
    "id",
    "uncertainty",
    "proposed_type",
    "proposed_level",
    "type",
    "level",
    "confirmed",
    "images",
    "text",
)

_YES = frozenset({"yes", "y", "x", "1", "true"})
_NO = frozenset({"", "no", "n", "0", "false"})

_LONGEST = 2000
"""Characters of a text that the sheet shows."""

_BYTE_ORDER_MARK = "\ufeff"
"""Tells spreadsheets that the file is UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A label that is proposed for a record."""

    key: str
    """Key that the record's content determines."""

    line: int
    """Line of the record in its file."""

    id: str
    """Name of the record."""

    uncertainty: float
    """From 0, certain, to 1."""

    label: RiskLabel | None
    """The proposal; None if the model reached no verdict."""

    images: tuple[Path, ...]
    text: str
    """The user's words, or the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedSheet:
    """What a person confirmed."""

    labels: Mapping[str, RiskLabel]
    """Key of a record → its label."""

    changed: int
    """Confirmed rows whose label is not the proposed one."""

    unconfirmed: int
    """Rows that nobody confirmed."""


def shorten_text(text: str) -> str:
    """Shorten a text to what the sheet shows."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} […]"


def write_sheet(file: Path, proposals: Iterable[Proposal], taxonomy: Taxonomy) -> int:
    """Write a sheet, all rows or no file; returns the number of rows."""
    count = 0
    with open_atomically(file) as stream:
        stream.write(_BYTE_ORDER_MARK)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for proposal in proposals:
            label = proposal.label
            names = ("", "") if label is None else (taxonomy.types[label.type], taxonomy.levels[label.level])
            row = (
                proposal.key,
                proposal.line,
                proposal.id,
                f"{proposal.uncertainty:.4f}",
                *names,
                *names,
                "",
                "; ".join(map(str, proposal.images)),
                proposal.text,
            )
            writer.writerow(map(escape_formula, map(str, row)))
            count += 1
    return count


def escape_formula(cell: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


class _SheetRow(SourceRecord):
    """One row, as a person left it."""

    key: FilledText
    type: str
    level: str
    confirmed: str
    proposed_type: str = ""
    proposed_level: str = ""


def read_sheet(file: Path, taxonomy: Taxonomy) -> ConfirmedSheet:
    """Read which labels a person confirmed; the order of the rows does not matter.

    Raises:
        SampleError: the file cannot be read, or a confirmed row is malformed, with file, line and column.
    """
    labels: dict[str, RiskLabel] = {}
    changed = unconfirmed = 0
    for row in read_csv_rows(file):
        try:
            cells = _SheetRow.model_validate(row.data)
        except ValidationError as exc:
            raise row.place.translate_error(exc) from exc
        answer = cells.confirmed.strip().lower()
        if answer in _NO:
            unconfirmed += 1
            continue
        if answer not in _YES:
            raise row.place.create_error("yes or no is needed", "confirmed")
        label = _read_label(cells, row.place, taxonomy)
        if labels.setdefault(cells.key.strip(), label) != label:
            raise row.place.create_error("the record has another label in an earlier row", "key")
        proposed = (cells.proposed_type.strip(), cells.proposed_level.strip())
        changed += proposed != (taxonomy.types[label.type], taxonomy.levels[label.level])
    return ConfirmedSheet(labels=labels, changed=changed, unconfirmed=unconfirmed)


def _read_label(cells: _SheetRow, place: RecordPlace, taxonomy: Taxonomy) -> RiskLabel:
    """Read the label of a confirmed row; raises SampleError if it is none of the taxonomy."""
    kind = cells.type.strip()
    if kind not in taxonomy.types:
        raise place.create_error(f"one of {list(taxonomy.types)} is needed", "type")
    try:
        level = parse_level(cells.level, taxonomy)
    except ValueError as exc:
        raise place.create_error(str(exc), "level") from exc
    if (kind == taxonomy.safe_type) != (level == 0):
        raise place.create_error(f"level 0 belongs to the type {taxonomy.safe_type!r}, and no other does", "level")
    return RiskLabel(type=taxonomy.types.index(kind), level=level)
