"""What no guard can promise is measured and published: the page shows the newest records and nothing else."""

import json
from typing import Any

from bench.reporting.pages import PAGE, TABLES, fill_page
from bench.reporting.summary import find_newest_records
from bench.robustness.folded_disguises import FOLDED
from bench.robustness.lettering import ANYTHING, STYLES
from bench.robustness.open_disguises import OPEN
from bench.robustness.rows import HARMLESS, TITLES
from bench.robustness.turn_cuts import CUTS
from bench.security import latency_leak

PUBLISHED = PAGE.read_text(encoding="utf-8")


def figures(name: str) -> Any:
    """Of the newest record, which the page shows."""
    record = find_newest_records()[name]
    tables = [table for measurement, table in TABLES.values() if measurement == name]
    assert tables
    assert [table(record) for table in tables if table(record) not in PUBLISHED] == []
    assert fill_page(PUBLISHED) == PUBLISHED
    return json.loads(record.read_text(encoding="utf-8"))["figures"]


def test_pgd_typography_jpeg() -> None:
    found = figures("robustness")["passed"]
    assert set(found) == set(TITLES)
    assert found["clean"]["allowed"]["count"] >= 300
    assert found["pgd_8"]["not_refused"]["count"] >= 20


def test_every_row_of_the_measurement_is_published() -> None:
    found = figures("robustness")
    assert set(found["disguised"]) == {*FOLDED, *OPEN}
    assert set(found["turns"]) == set(CUTS)
    assert set(found["lettered"]) == {*STYLES, ANYTHING}
    assert set(found["spared"]) == set(HARMLESS)


def test_fingerprinting_by_the_clock() -> None:
    found = figures("latency_leak")
    assert {tuple(by) for by in found["ordered"].values()} == {tuple(latency_leak.QUESTIONS)}
    assert found["rounds"] >= 100
