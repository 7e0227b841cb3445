"""Formats a report as Markdown tables: every cell with its interval, a dash where nothing was measured.

Knows nothing of how figures are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from safety_core.evaluation.runs.cells import (
    NO_VALUE,
    format_bars,
    format_number,
    format_p_value,
    format_percent,
    format_table,
)
from safety_core.evaluation.runs.report import Report
from safety_core.evaluation.statistics.estimates import CONFIDENCE, Estimate

MARKDOWN_FILE = "report.md"

Formatter = Callable[[Estimate], str]


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
            | {f"unsafe {name.split('/', 1)[1]}, %": (f"unsafe_rate/{name}", format_percent) for name in columns},
        ),
        _format_measure(report, "Unsafe replies, % of risky pairs", "unsafe_rate", ["", *types, *columns]),
        _format_measure(report, "Safety score, 0-10", "safety_score", ["", *types, *columns], formatter=format_number),
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
            formatter=format_number,
        ),
        _format_figures(report, "The head as a classifier", _HEAD_COLUMNS),
        _format_comparisons(report),
        format_bars(report.bars),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _list_parts(report: Report, measure: str, start: str = "") -> list[str]:
    """List the parts that a measure was reported for, in order."""
    names = [name for row in report.rows.values() for name in row.figures if name.split("/")[0] == measure]
    suffixes = dict.fromkeys(name.removeprefix(measure).removeprefix("/") for name in names)
    return [suffix for suffix in suffixes if suffix.startswith(start)]


def _format_measure(
    report: Report, title: str, measure: str, suffixes: Iterable[str], formatter: Formatter = format_percent
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
    return f"## {title}\n\n{format_table(['row', *columns], lines)}"


def _format_comparisons(report: Report) -> str:
    """Format paired differences and tests."""
    lines = []
    for (row, against), comparison in report.comparisons.items():
        tests = comparison.mcnemar.values()
        shown = [format_number(figure, signed=True) for figure in comparison.differences.values()]
        lines.append([f"{row} − {against}", *shown, *map(format_p_value, tests)])
    if not lines:
        return ""
    first = next(iter(report.comparisons.values()))
    header = ["rows", *first.differences, *(f"p {name}" for name in first.mcnemar)]
    note = "Differences with paired intervals; p of McNemar's exact test on the pairs where the prompt decides."
    return f"## Rows against rows\n\n{note}\n\n{format_table(header, lines)}"


_OVERVIEW: dict[str, tuple[str, Formatter]] = {
    "unsafe, %": ("unsafe_rate", format_percent),
    "safety score": ("safety_score", format_number),
    "attack success, %": ("attack_success", format_percent),
    "over-refusal, %": ("over_refusal", format_percent),
    "exact, %": ("exact", format_percent),
    "things F1": ("things_f1", format_number),
    "type right, %": ("type_accuracy", format_percent),
    "level right, %": ("level_accuracy", format_percent),
}

_HEAD_COLUMNS: Mapping[str, tuple[str, Formatter]] = {
    "type, %": ("type_accuracy", format_percent),
    "level, %": ("level_accuracy", format_percent),
    "macro F1 type": ("macro_f1/type", format_number),
    "macro F1 level": ("macro_f1/level", format_number),
    "AUROC unsafe": ("auroc", format_number),
    "ECE type": ("ece/type", format_number),
    "ECE level": ("ece/level", format_number),
    "ECE unsafe": ("ece/unsafe", format_number),
}
