"""Tables of the newest records in ``docs/robustness.md``, each between two marks.

The table of ``docs/performance.md`` has one figure for each bar (``summary``). The measurements here have no bars, and
one or more tables each.
"""

from collections.abc import Callable
from pathlib import Path

import typer

from bench.paths import RESULTS, ROOT
from bench.reporting.summary import find_newest_records
from bench.robustness import tables
from bench.security.latency_leak import format_latency_table

PAGE = ROOT / "docs" / "robustness.md"

TABLES: dict[str, tuple[str, Callable[[Path], str]]] = {
    "robustness": ("robustness", tables.format_passed_table),
    "lettering": ("robustness", tables.format_lettering_table),
    "disguises": ("robustness", tables.format_disguise_table),
    "turns": ("robustness", tables.format_turn_table),
    "price": ("robustness", tables.format_price_table),
    "latency_leak": ("latency_leak", format_latency_table),
}
"""Measurement, and what formats a table of its record, by the name of the marks."""


def write_pages() -> None:
    """Write the newest records of `robustness` and `latency_leak` into docs/robustness.md."""
    PAGE.write_text(fill_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    typer.echo(str(PAGE))


def fill_page(page: str, folder: Path = RESULTS) -> str:
    """A page with the newest tables between its marks; without a record, what is between the marks stays.

    Raises:
        ValueError: the marks of a table are missing, or occur more than once.
    """
    records = find_newest_records(folder)
    for name, (measurement, table) in TABLES.items():
        before, *rest = page.split(f"<!-- {name} -->\n")
        if len(rest) != 1 or rest[0].count(f"<!-- /{name} -->") != 1:
            raise ValueError(f"the marks of {name} must stand in the page once")
        if measurement in records:
            _, after = rest[0].split(f"<!-- /{name} -->")
            page = f"{before}<!-- {name} -->\n{table(records[measurement])}<!-- /{name} -->{after}"
    return page
