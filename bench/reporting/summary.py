"""The newest record of every measurement as one table, which ``docs/performance.md`` contains; a test compares them."""

import json
import re
from pathlib import Path

import typer

from bench.paths import RESULTS

_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def find_newest_records(folder: Path = RESULTS) -> dict[str, Path]:
    """Find the newest record of each measurement, by its name."""
    return {_DATED.sub("", path.stem): path for path in sorted(folder.glob("*.json"))}


def format_summary(folder: Path = RESULTS) -> str:
    """Format every figure that has a bar as a Markdown table."""
    rows = ["| `python -m bench …` | figure | measured | bar | |", "|---|---|---|---|---|"]
    for name, path in find_newest_records(folder).items():
        for bar in json.loads(path.read_text(encoding="utf-8"))["figures"].get("bars", []):
            cleared = "cleared" if bar["cleared"] else "**missed**"
            rows.append(f"| `{name}` | {bar['what']} | {bar['measured']:.3g} | {bar['wanted']} | {cleared} |")
    return "\n".join(rows) + "\n"


def print_summary() -> None:
    """The newest record of every measurement, as in docs/performance.md."""
    typer.echo(format_summary())
