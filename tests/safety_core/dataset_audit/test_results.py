import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from safety_core.dataset_audit import results
from safety_core.dataset_audit.part_table import create_schema
from safety_core.dataset_audit.reporting.candidates import Candidates
from safety_core.dataset_audit.reporting.summary import Summary
from safety_core.dataset_audit.results import find_reason, write_results
from safety_core.taxonomy import DEFAULT_TAXONOMY


def create_row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "number": number,
        "id": str(number),
        "place": f"a:{number}",
        "kind": "text",
        "outcome": "judged",
        "decision": "allowed",
        "type": "safe",
        "level": 0,
        "unsafe": 0.25,
        "surface": "text",
        "pictures": 0,
        "cursor_file": 0,
        "cursor_offset": number,
        "cursor_row": number,
    } | changes


def write_rows(out: Path, *parts: list[dict[str, Any]]) -> Summary:
    summary = Summary(DEFAULT_TAXONOMY)
    tables = [pa.Table.from_pylist(part, schema=create_schema()) for part in parts]
    write_results(tables, None, out, summary, Candidates(2))
    return summary


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"decision": "cautioned"}, "cautioned"),
        ({"decision": "refused", "duplicate_group": 1}, "refused"),
        ({"outcome": "unjudged", "decision": "refused"}, "unjudged"),
        ({"outcome": "unreadable", "decision": None}, "unreadable"),
        ({"duplicate_group": 1}, "duplicate"),
        ({"duplicate_group": 3}, None),
    ],
)
def test_each_item_has_the_most_important_reason(changes: dict[str, Any], reason: str | None) -> None:
    assert find_reason({"duplicate_group": None} | create_row(3, **changes)) == reason


def test_the_list_has_a_row_for_each_item_to_leave_out(tmp_path: Path) -> None:
    refused = create_row(1, id="=1+1", decision="refused", type="illegal", level=3, unsafe=0.75)
    summary = write_rows(tmp_path, [create_row(0), refused], [create_row(2, outcome="unreadable", problem="gone")])
    entries = [json.loads(line) for line in (tmp_path / "filter.jsonl").read_text().splitlines()]
    assert entries[0] == {
        "id": "=1+1",
        "place": "a:1",
        "reason": "refused",
        "type": "illegal",
        "level": 3,
        "unsafe": 0.75,
    }
    with (tmp_path / "filter.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == ["'=1+1", "2"]  # no spreadsheet runs it
    assert json.loads((tmp_path / "unreadable.jsonl").read_text()) == {"id": "2", "place": "a:2", "problem": "gone"}
    assert (summary.items, summary.judged, summary.flagged.count) == (3, 2, 1)


def test_row_groups_have_an_even_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "_ROWS", 4)
    write_rows(tmp_path, *([create_row(number)] for number in range(10)))
    file = pq.ParquetFile(tmp_path / "records.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [4, 4, 2]
    assert "word_signature" not in file.schema_arrow.names


def test_after_an_error_no_file_has_its_name(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_results([pa.table({"x": [1]})], None, tmp_path, Summary(DEFAULT_TAXONOMY), Candidates(1))
    assert list(tmp_path.iterdir()) == []
