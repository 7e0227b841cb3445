"""Tables of the newest records in ``docs/robustness.md``: what it publishes stands between marks, and comes from here.

The README's table is a figure a bar (``summary``); these measurements have no bar, and a table of their own each.
"""

from collections.abc import Callable
from pathlib import Path

import typer

from bench import latency_leak, robustness
from bench.results import RESULTS
from bench.summary import newest

PAGE = Path(__file__).parents[1] / "docs" / "robustness.md"

TABLES: dict[str, Callable[[Path], str]] = {"robustness": robustness.table, "latency_leak": latency_leak.table}
"""What makes a table of a record, by the name of measurement and marks."""


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
    for name, table in TABLES.items():
        before, *rest = page.split(f"<!-- {name} -->\n")
        if len(rest) != 1 or rest[0].count(f"<!-- /{name} -->") != 1:
            raise ValueError(f"the marks of {name} must stand in the page once")
        if name in records:
            _, after = rest[0].split(f"<!-- /{name} -->")
            page = f"{before}<!-- {name} -->\n{table(records[name])}<!-- /{name} -->{after}"
    return page
