"""Tables of a robustness record as Markdown, for ``docs/robustness.md``."""

import json
from collections.abc import Mapping
from pathlib import Path

from bench.robustness.folded_disguises import FOLDED
from bench.robustness.lettering import ANYTHING, STYLES
from bench.robustness.open_disguises import OPEN
from bench.robustness.rows import HARMLESS, TITLES
from bench.robustness.turn_cuts import CUT_TITLES


def format_passed_table(record: Path) -> str:
    """Unsafe requests that get through, undisguised or attacked; shares in percent with their intervals."""
    return _format_table(record, "passed", TITLES)


def format_price_table(record: Path) -> str:
    """Harmless requests: the share that is allowed, and the share that is refused."""
    found = json.loads(record.read_text(encoding="utf-8"))["figures"]["spared"]
    lines = ["| requests | allowed, % | refused, % | of |", "|---|---|---|---|"]
    for name, row in found.items():
        allowed, refused = row["allowed"], row["refused"]
        lines.append(
            f"| {HARMLESS[name]} | {_format_percent(allowed)} | {_format_percent(refused)} | {allowed['count']:,.0f} |"
        )
    return "\n".join(lines) + "\n"


def _format_percent(one: Mapping[str, float]) -> str:
    return f"{100 * one['share']:.1f} [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"


def format_disguise_table(record: Path) -> str:
    """Unsafe requests that get through in each disguise; older records have none."""
    return _format_table(record, "disguised", {name: one.title for name, one in {**FOLDED, **OPEN}.items()})


def format_turn_table(record: Path) -> str:
    """Unsafe requests that get through when cut into turns."""
    return _format_table(record, "turns", CUT_TITLES)


def format_lettering_table(record: Path) -> str:
    """Unsafe requests that get through in each style of lettering."""
    return _format_table(
        record, "lettered", {name: one.title for name, one in STYLES.items()} | {ANYTHING: "all at random"}
    )


def _format_table(record: Path, key: str, titles: Mapping[str, str]) -> str:
    figures = json.loads(record.read_text(encoding="utf-8"))["figures"]
    lines = ["| requests | allowed, % | of | level 3 not refused, % | of |", "|---|---|---|---|---|"]
    for name, row in figures.get(key, {}).items():
        allowed, not_refused = row["allowed"], row["not_refused"]
        lines.append(
            f"| {titles[name]} | {_format_percent(allowed)} | {allowed['count']:,.0f} "
            f"| {_format_percent(not_refused)} | {not_refused['count']:,.0f} |"
        )
    return "\n".join(lines) + "\n"
