"""Tables of the newest records in ``docs/robustness.md``: what it publishes stands between marks, and comes from here.

The table of ``docs/performance.md`` has one figure for each bar (``summary``); these measurements have no bar, and one
table each.
"""

from collections.abc import Callable
from pathlib import Path

import typer

from bench import latency_leak, robustness
from bench.results import RESULTS
from bench.summary import newest

PAGE = Path(__file__).parents[1] / "docs" / "robustness.md"

TABLES: dict[str, tuple[str, Callable[[Path], str]]] = {
    "robustness": ("robustness", robustness.table),
    "lettering": ("robustness", robustness.lettering_table),
    "disguises": ("robustness", robustness.disguise_table),
    "turns": ("robustness", robustness.turn_table),
    "price": ("robustness", robustness.price),
    "latency_leak": ("latency_leak", latency_leak.table),
}
"""Whose record, and what makes a table of it, by the name of the marks."""


def pages() -> None:
    """Write the newest records of `robustness` and `latency_leak` into docs/robustness.md."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    typer.echo(str(PAGE))


def filled(page: str, folder: Path = RESULTS) -> str:
    """A page with the newest tables between its marks; where there is no record, the marks stay as they are.

    Raises:
        ValueError: the marks of a table are not there, or not once.
    """
    records = newest(folder)
    for name, (measurement, table) in TABLES.items():
        before, *rest = page.split(f"<!-- {name} -->\n")
        if len(rest) != 1 or rest[0].count(f"<!-- /{name} -->") != 1:
            raise ValueError(f"the marks of {name} must stand in the page once")
        if measurement in records:
            _, after = rest[0].split(f"<!-- /{name} -->")
            page = f"{before}<!-- {name} -->\n{table(records[measurement])}<!-- /{name} -->{after}"
    return page
