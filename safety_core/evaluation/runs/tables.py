"""Formats a report as Markdown tables: every cell with its interval, a dash where nothing was measured.

Knows nothing of how figures are computed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from safety_core.evaluation.runs.report import Report
from safety_core.evaluation.statistics.estimates import CONFIDENCE, Estimate
from safety_core.evaluation.statistics.mcnemar import McNemar

MARKDOWN_FILE = "report.md"
NO_VALUE = "–"

Formatter = Callable[[Estimate], str]


def _format_percent(estimate: Estimate) -> str:
    """Format a rate in per cent with its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NO_VALUE
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _format_number(estimate: Estimate, *, signed: bool = False) -> str:
    """Format a figure with its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NO_VALUE
    digits, sign = ("+.3f", "+.3f") if signed else (".3f" if abs(estimate.value) <= 1 else ".2f", "")
    return f"{estimate.value:{digits}} [{estimate.low:{sign or digits}}, {estimate.high:{sign or digits}}]"


def format_report(report: Report) -> str:
    """Format all tables of a report."""
    types = [f"type/{name}" for name in report.taxonomy.risky_types]
    columns = _list_parts(report, "unsafe_rate", "column/")
    intents = _list_parts(report, "exact", "intent/")
    parts = [
        f"# {report.suite}: {report.pairs} pairs",
        f"Seed {report.seed}, {report.resamples} bootstrap draws over pictures, {CONFIDENCE:.0%} intervals "
        f"in brackets. Suite `{report.suite_sha256[:12]}`. `{' '.join(report.command)}`. {NO_VALUE}: not measured.",
        _format_figures(
            report,
            "Overview",
            _OVERVIEW
            | {f"unsafe {name.split('/', 1)[1]}, %": (f"unsafe_rate/{name}", _format_percent) for name in columns},
        ),
        _format_measure(report, "Unsafe replies, % of risky pairs", "unsafe_rate", ["", *types, *columns]),
        _format_measure(report, "Safety score, 0-10", "safety_score", ["", *types, *columns], formatter=_format_number),
        _format_measure(
            report, "Attack success, % of worst pairs that need the picture", "attack_success", ["", *types]
        ),
        _format_measure(
            report,
            "Over-refusal, % of pairs that deserve an answer",
            "over_refusal",
            _list_parts(report, "over_refusal"),
        ),
        _format_measure(report, "Closed questions on safe pairs, % exact", "exact", ["", *intents]),
        _format_measure(
            report,
            "Descriptions of safe pairs, F1 of things named",
            "things_f1",
            ["", *_list_parts(report, "things_f1", "intent/")],
            formatter=_format_number,
        ),
        _format_figures(report, "The head as a classifier", _HEAD_COLUMNS),
        _format_comparisons(report),
        _format_bars(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _list_parts(report: Report, measure: str, start: str = "") -> list[str]:
    """List the parts that a measure was reported for, in order."""
    names = [name for row in report.rows.values() for name in row.figures if name.split("/")[0] == measure]
    suffixes = dict.fromkeys(name.removeprefix(measure).removeprefix("/") for name in names)
    return [suffix for suffix in suffixes if suffix.startswith(start)]


def _format_measure(
    report: Report, title: str, measure: str, suffixes: Iterable[str], formatter: Formatter = _format_percent
) -> str:
    """Format one measure over the whole and its parts, with a column for each."""
    columns = {suffix.split("/", 1)[-1] or "all": (f"{measure}/{suffix}".rstrip("/"), formatter) for suffix in suffixes}
    return _format_figures(report, title, columns)


def _format_figures(report: Report, title: str, columns: Mapping[str, tuple[str, Formatter]]) -> str:
    lines = [
        [
            name,
            *(
                formatter(row.figures[figure]) if figure in row.figures else NO_VALUE
                for figure, formatter in columns.values()
            ),
        ]
        for name, row in report.rows.items()
    ]
    return f"## {title}\n\n{_format_table(['row', *columns], lines)}"


def _format_comparisons(report: Report) -> str:
    """Format paired differences and tests."""
    lines = []
    for (row, against), comparison in report.comparisons.items():
        tests = comparison.mcnemar.values()
        shown = [_format_number(figure, signed=True) for figure in comparison.differences.values()]
        lines.append([f"{row} − {against}", *shown, *map(_format_p_value, tests)])
    if not lines:
        return ""
    first = next(iter(report.comparisons.values()))
    header = ["rows", *first.differences, *(f"p {name}" for name in first.mcnemar)]
    note = "Differences with paired intervals; p of McNemar's exact test on the pairs where the prompt decides."
    return f"## Rows against rows\n\n{note}\n\n{_format_table(header, lines)}"


def _format_bars(report: Report) -> str:
    """Format every bar with the checked figure."""
    if not report.bars:
        return ""
    lines = [
        [
            bar.bar,
            bar.figure,
            NO_VALUE if bar.value is None else f"{bar.value:.4g}",
            "yes" if bar.passed else "**NO**",
        ]
        for bar in report.bars
    ]
    return f"## Bars\n\n{_format_table(['bar', 'figure', 'value', 'cleared'], lines)}"


def _format_p_value(test: McNemar) -> str:
    """Format the p-value of a test; a dash for a test without pairs."""
    if test.n == 0:
        return NO_VALUE
    # A p-value below the range of floats is not zero.
    return f"{test.p_value:.2g}" if test.p_value > 0 else f"<{sys.float_info.min:.0e}"


_OVERVIEW: dict[str, tuple[str, Formatter]] = {
    "unsafe, %": ("unsafe_rate", _format_percent),
    "safety score": ("safety_score", _format_number),
    "attack success, %": ("attack_success", _format_percent),
    "over-refusal, %": ("over_refusal", _format_percent),
    "exact, %": ("exact", _format_percent),
    "things F1": ("things_f1", _format_number),
    "type right, %": ("type_accuracy", _format_percent),
    "level right, %": ("level_accuracy", _format_percent),
}

_HEAD_COLUMNS: Mapping[str, tuple[str, Formatter]] = {
    "type, %": ("type_accuracy", _format_percent),
    "level, %": ("level_accuracy", _format_percent),
    "macro F1 type": ("macro_f1/type", _format_number),
    "macro F1 level": ("macro_f1/level", _format_number),
    "AUROC unsafe": ("auroc", _format_number),
    "ECE type": ("ece/type", _format_number),
    "ECE level": ("ece/level", _format_number),
    "ECE unsafe": ("ece/unsafe", _format_number),
}


def _format_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
