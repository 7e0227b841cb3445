"""``docs/robustness.md`` is filled from records, and from nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.reporting.pages import TABLES, fill_page
from bench.robustness import tables
from bench.security import latency_leak

EMPTY = "# Page\n".join(["", *(f"<!-- {name} -->\n<!-- /{name} -->\nwords about {name}\n" for name in TABLES)])


def record(folder: Path, name: str, figures: dict[str, Any], date: str = "2026-01-02") -> Path:
    path = folder / f"{name}-{date}.json"
    path.write_text(json.dumps({"figures": figures}), encoding="utf-8")
    return path


def passed(share: float) -> dict[str, Any]:
    one = {"share": share, "low": share / 2, "high": 2 * share, "count": 1234.0}
    return {
        "passed": {"clean": {"allowed": one, "not_refused": one | {"count": 99.0}}},
        "spared": {"lines": {"allowed": one, "refused": one}},
    }


def ordered(auc: float) -> dict[str, Any]:
    one = {"auc": auc, "low": auc - 0.1, "high": auc + 0.1}
    return {"ordered": {"classification": dict.fromkeys(latency_leak.QUESTIONS, one)}}


def test_a_table_of_what_gets_through_tells_shares_in_percent_and_of_how_many(tmp_path: Path) -> None:
    lines = tables.format_passed_table(record(tmp_path, "robustness", passed(0.0123))).splitlines()
    assert lines[2:] == ["| harm in the picture, as it is | 1.2 [0.6, 2.5] | 1,234 | 1.2 [0.6, 2.5] | 99 |"]
    assert len({line.count("|") for line in lines}) == 1


def test_a_table_of_what_it_costs_tells_shares_in_percent(tmp_path: Path) -> None:
    lines = tables.format_price_table(record(tmp_path, "robustness", passed(0.0123))).splitlines()
    assert lines[2:] == ["| two words a line | 1.2 [0.6, 2.5] | 1.2 [0.6, 2.5] | 1,234 |"]
    assert len({line.count("|") for line in lines}) == 1


def test_a_table_of_latency_has_a_column_a_question(tmp_path: Path) -> None:
    lines = latency_leak.format_latency_table(record(tmp_path, "latency_leak", ordered(0.75))).splitlines()
    assert lines[0].count("|") == len(latency_leak.QUESTIONS) + 2
    assert lines[2:] == ["| classification " + "| 0.75 [0.65, 0.85] " * len(latency_leak.QUESTIONS) + "|"]
    assert len({line.count("|") for line in lines}) == 1


def test_the_newest_records_stand_between_the_marks(tmp_path: Path) -> None:
    record(tmp_path, "robustness", passed(0.5), "2026-01-01")
    newest = record(tmp_path, "robustness", passed(0.25), "2026-01-03")
    times = record(tmp_path, "latency_leak", ordered(0.5))
    page = fill_page(EMPTY, tmp_path)
    assert f"<!-- robustness -->\n{tables.format_passed_table(newest)}<!-- /robustness -->\n" in page
    assert f"<!-- price -->\n{tables.format_price_table(newest)}<!-- /price -->\n" in page
    assert f"<!-- latency_leak -->\n{latency_leak.format_latency_table(times)}<!-- /latency_leak -->\n" in page
    assert fill_page(page, tmp_path) == page
    record(tmp_path, "robustness", passed(0.125), "2026-01-04")
    again = fill_page(page, tmp_path)
    assert "25.0 [" not in again
    assert "12.5 [" in again
    assert [line for line in EMPTY.splitlines() if line not in again.splitlines()] == []


def test_what_was_not_measured_stays_empty(tmp_path: Path) -> None:
    assert fill_page(EMPTY, tmp_path) == EMPTY


@pytest.mark.parametrize("page", ["", EMPTY + EMPTY, EMPTY.replace("<!-- /robustness -->", "")])
def test_a_page_without_its_marks_is_not_touched(tmp_path: Path, page: str) -> None:
    record(tmp_path, "robustness", passed(0.5))
    with pytest.raises(ValueError, match="robustness must stand in the page once"):
        fill_page(page, tmp_path)
