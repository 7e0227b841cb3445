"""What no guard can promise is measured and published: the page shows the newest records and nothing else."""

import json
from typing import Any

from bench import latency_leak, robustness
from bench.disguises import FOLDED, OPEN
from bench.lettering import ANYTHING, STYLES
from bench.pages import PAGE, TABLES, filled
from bench.summary import newest

PUBLISHED = PAGE.read_text(encoding="utf-8")


def figures(name: str) -> Any:
    """Of the newest record, which the page shows."""
    record = newest()[name]
    tables = [table for measurement, table in TABLES.values() if measurement == name]
    assert tables
    assert [table(record) for table in tables if table(record) not in PUBLISHED] == []
    assert filled(PUBLISHED) == PUBLISHED
    return json.loads(record.read_text(encoding="utf-8"))["figures"]


def test_pgd_typography_jpeg() -> None:
    found = figures("robustness")["passed"]
    assert set(found) == set(robustness.TITLES)
    assert found["clean"]["allowed"]["count"] >= 300
    assert found["pgd_8"]["not_refused"]["count"] >= 20


def test_every_row_of_the_measurement_is_published() -> None:
    found = figures("robustness")
    assert set(found["disguised"]) == {*FOLDED, *OPEN}
    assert set(found["turns"]) == set(robustness.CUTS)
    assert set(found["lettered"]) == {*STYLES, ANYTHING}
    assert set(found["spared"]) == set(robustness.HARMLESS)


def test_fingerprinting_by_the_clock() -> None:
    found = figures("latency_leak")
    assert {tuple(by) for by in found["ordered"].values()} == {tuple(latency_leak.QUESTIONS)}
    assert found["rounds"] >= 100
