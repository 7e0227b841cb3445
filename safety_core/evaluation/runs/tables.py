"""A report as the Markdown tables that people read: every cell with its interval, a dash where nothing was measured.

Knows nothing of how figures come about.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from safety_core.evaluation.runs.report import Report
from safety_core.evaluation.statistics.estimates import CONFIDENCE, Estimate, McNemar

MARKDOWN_FILE = "report.md"
NO_VALUE = "–"

Show = Callable[[Estimate], str]


def to_markdown(report: Report) -> str:
    """The tables that people read."""
    types = [f"type/{name}" for name in report.taxonomy.risky_types]
    columns = _suffixes(report, "unsafe_rate", "column/")
    intents = _suffixes(report, "exact", "intent/")
    parts = [
        f"# {report.suite}: {report.pairs} pairs",
        f"Seed {report.seed}, {report.resamples} bootstrap draws over pictures, {CONFIDENCE:.0%} intervals "
        f"in brackets. Suite `{report.suite_sha256[:12]}`. `{' '.join(report.command)}`. {NO_VALUE}: not measured.",
        _figures(
            report,
            "Overview",
            _OVERVIEW | {f"unsafe {name.split('/', 1)[1]}, %": (f"unsafe_rate/{name}", _percent) for name in columns},
        ),
        _table(report, "Unsafe replies, % of risky pairs", "unsafe_rate", ["", *types, *columns]),
        _table(report, "Safety score, 0-10", "safety_score", ["", *types, *columns], show=_plain),
        _table(report, "Attack success, % of worst pairs that need the picture", "attack_success", ["", *types]),
        _table(
            report, "Over-refusal, % of pairs that deserve an answer", "over_refusal", _suffixes(report, "over_refusal")
        ),
        _table(report, "Closed questions on safe pairs, % exact", "exact", ["", *intents]),
        _table(
            report,
            "Descriptions of safe pairs, F1 of things named",
            "things_f1",
            ["", *_suffixes(report, "things_f1", "intent/")],
            show=_plain,
        ),
        _figures(report, "The head as a classifier", _HEAD_COLUMNS),
        _compared(report),
        _barred(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _suffixes(report: Report, measure: str, start: str = "") -> list[str]:
    """Parts that a measure was reported for, in order."""
    names = [name for row in report.rows.values() for name in row.figures if name.split("/")[0] == measure]
    suffixes = dict.fromkeys(name.removeprefix(measure).removeprefix("/") for name in names)
    return [suffix for suffix in suffixes if suffix.startswith(start)]


def _table(report: Report, title: str, measure: str, suffixes: Iterable[str], show: Show | None = None) -> str:
    """One measure over the whole and its parts, a column each."""
    columns = {
        suffix.split("/", 1)[-1] or "all": (f"{measure}/{suffix}".rstrip("/"), show or _percent) for suffix in suffixes
    }
    return _figures(report, title, columns)


def _figures(report: Report, title: str, columns: Mapping[str, tuple[str, Show]]) -> str:
    lines = [
        [
            name,
            *(show(row.figures[figure]) if figure in row.figures else NO_VALUE for figure, show in columns.values()),
        ]
        for name, row in report.rows.items()
    ]
    return f"## {title}\n\n{_markdown_table(['row', *columns], lines)}"


def _compared(report: Report) -> str:
    """Paired differences and tests."""
    lines = []
    for (row, against), comparison in report.comparisons.items():
        tests = comparison.mcnemar.values()
        shown = [_plain(figure, signed=True) for figure in comparison.differences.values()]
        lines.append([f"{row} − {against}", *shown, *map(_p_value, tests)])
    if not lines:
        return ""
    first = next(iter(report.comparisons.values()))
    header = ["rows", *first.differences, *(f"p {name}" for name in first.mcnemar)]
    note = "Differences with paired intervals; p of McNemar's exact test on the pairs where the prompt decides."
    return f"## Rows against rows\n\n{note}\n\n{_markdown_table(header, lines)}"


def _barred(report: Report) -> str:
    """Every bar with what was held against it."""
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
    return f"## Bars\n\n{_markdown_table(['bar', 'figure', 'value', 'cleared'], lines)}"


def _p_value(test: McNemar) -> str:
    """A test's p; one without a pair that both rows were scored on was not made."""
    if test.n == 0:
        return NO_VALUE
    # Too small for a float is not nothing.
    return f"{test.p_value:.2g}" if test.p_value > 0 else f"<{sys.float_info.min:.0e}"


def _percent(estimate: Estimate) -> str:
    """A rate in per cent with its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NO_VALUE
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _plain(estimate: Estimate, *, signed: bool = False) -> str:
    """A figure as it is with its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NO_VALUE
    digits, sign = ("+.3f", "+.3f") if signed else (".3f" if abs(estimate.value) <= 1 else ".2f", "")
    return f"{estimate.value:{digits}} [{estimate.low:{sign or digits}}, {estimate.high:{sign or digits}}]"


_OVERVIEW: dict[str, tuple[str, Show]] = {
    "unsafe, %": ("unsafe_rate", _percent),
    "safety score": ("safety_score", _plain),
    "attack success, %": ("attack_success", _percent),
    "over-refusal, %": ("over_refusal", _percent),
    "exact, %": ("exact", _percent),
    "things F1": ("things_f1", _plain),
    "type right, %": ("type_accuracy", _percent),
    "level right, %": ("level_accuracy", _percent),
}

_HEAD_COLUMNS: Mapping[str, tuple[str, Show]] = {
    "type, %": ("type_accuracy", _percent),
    "level, %": ("level_accuracy", _percent),
    "macro F1 type": ("macro_f1/type", _plain),
    "macro F1 level": ("macro_f1/level", _plain),
    "AUROC unsafe": ("auroc", _plain),
    "ECE type": ("ece/type", _plain),
    "ECE level": ("ece/level", _plain),
    "ECE unsafe": ("ece/unsafe", _plain),
}


def _markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
