"""The newest record of every measurement as one table: what ``docs/performance.md`` shows, and a test holds it to."""

import json
import re
from pathlib import Path

import typer

from bench.paths import RESULTS

_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def find_newest_records(folder: Path = RESULTS) -> dict[str, Path]:
    """The newest record of each measurement, by its name."""
    return {_DATED.sub("", path.stem): path for path in sorted(folder.glob("*.json"))}


def format_summary(folder: Path = RESULTS) -> str:
    """Every figure that has a bar, beside it: a Markdown table."""
    rows = ["| `python -m bench …` | figure | measured | bar | |", "|---|---|---|---|---|"]
    for name, path in find_newest_records(folder).items():
        for bar in json.loads(path.read_text(encoding="utf-8"))["figures"].get("bars", []):
            cleared = "cleared" if bar["cleared"] else "**missed**"
            rows.append(f"| `{name}` | {bar['what']} | {bar['measured']:.3g} | {bar['wanted']} | {cleared} |")
    return "\n".join(rows) + "\n"


def print_summary() -> None:
    """The newest record of every measurement, as ``docs/performance.md`` shows it."""
    typer.echo(format_summary())
