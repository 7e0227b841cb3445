"""Cells and parts of Markdown tables: figures with their intervals, p-values, bars.

Knows no report.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from safety_core.evaluation.statistics.bars import BarResult
from safety_core.evaluation.statistics.estimates import Estimate
from safety_core.evaluation.statistics.mcnemar import McNemar

NO_VALUE = "–"


def format_percent(estimate: Estimate) -> str:
    """Format a rate in per cent with its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NO_VALUE
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def format_number(estimate: Estimate, *, signed: bool = False) -> str:
    """Format a figure with its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NO_VALUE
    digits, sign = ("+.3f", "+.3f") if signed else (".3f" if abs(estimate.value) <= 1 else ".2f", "")
    return f"{estimate.value:{digits}} [{estimate.low:{sign or digits}}, {estimate.high:{sign or digits}}]"


def format_p_value(test: McNemar) -> str:
    """Format the p-value of a test; a dash for a test without pairs."""
    if test.n == 0:
        return NO_VALUE
    # A p-value below the range of floats is not zero.
    return f"{test.p_value:.2g}" if test.p_value > 0 else f"<{sys.float_info.min:.0e}"


def format_bars(bars: Sequence[BarResult], title: str = "Bars") -> str:
    """Format every bar with the checked figure; empty if there is none."""
    if not bars:
        return ""
    lines = [
        [
            bar.bar,
            bar.figure,
            NO_VALUE if bar.value is None else f"{bar.value:.4g}",
            "yes" if bar.passed else "**NO**",
        ]
        for bar in bars
    ]
    return f"## {title}\n\n{format_table(['bar', 'figure', 'value', 'cleared'], lines)}"


def format_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Format a table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
