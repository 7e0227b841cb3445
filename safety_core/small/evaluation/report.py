"""The report of an evaluation on real words and photographs: JSON with every figure, and tables. Aggregates only.

``failures.jsonl`` lists what each row judged wrongly, by ids of items, for error analysis on the same machine.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safety_core.evaluation.runs.cells import (
    NO_VALUE,
    format_bars,
    format_number,
    format_p_value,
    format_percent,
    format_table,
)
from safety_core.evaluation.runs.report import JSON_FILE, Report
from safety_core.evaluation.runs.tables import MARKDOWN_FILE, Formatter
from safety_core.evaluation.statistics.bars import BarResult
from safety_core.evaluation.statistics.estimates import CONFIDENCE
from safety_core.files import open_atomically, write_text
from safety_core.policy.policy import Decision
from safety_core.small.evaluation.figures.board import CONTRASTS
from safety_core.small.evaluation.items.columns import COLUMNS, INFO
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.systems.rows import SHIPPED
from safety_core.small.evaluation.systems.system import Score

FAILURES_FILE = "failures.jsonl"

FORMS = ("words", "photographs", "lettering")
"""Forms of items, which times and errors of calibration are reported for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealReport:
    """The results, and what one has to know about them."""

    report: Report
    goals: Sequence[BarResult] = ()
    """Figures that should reach a value, but need not."""

    notes: Sequence[str] = ()
    """What was left out, and why."""

    limit: int | None = None
    """Maximum number of items of each sort; None for a whole run."""

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            **self.report.to_dict(),
            "goals": [goal.to_dict() for goal in self.goals],
            "notes": list(self.notes),
            "limit": self.limit,
        }


def write_report(
    report: RealReport, items: Sequence[Item], scores: Mapping[str, Sequence[Score]], folder: Path
) -> None:
    """Write the report and the list of failures into a folder; the folder is created if missing."""
    text = json.dumps(report.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(folder / JSON_FILE, text + "\n")
    write_text(folder / MARKDOWN_FILE, format_report(report))
    with open_atomically(folder / FAILURES_FILE) as stream:
        for row, given in scores.items():
            for item, score in zip(items, given, strict=True):
                if score.decision is not None and (score.decision is not Decision.ALLOWED) != item.is_risky:
                    stream.write(json.dumps(describe_failure(row, item, score)) + "\n")


def describe_failure(row: str, item: Item, score: Score) -> dict[str, object]:
    """Describe an item that was judged wrongly, without its words."""
    return {
        "row": row,
        "item": item.id,
        "columns": list(item.columns),
        "parts": list(item.parts),
        "label": list(item.label),
        "decision": None if score.decision is None else score.decision.value,
        "risk": None if score.risk is None else round(score.risk, 4),
    }


def format_report(report: RealReport) -> str:
    """Format all tables."""
    results = report.report
    risky = [name for name in COLUMNS if INFO[name].risky]
    harmless = [name for name in COLUMNS if not INFO[name].risky]
    parts = [
        f"# {results.suite}: {results.pairs} items",
        f"Seed {results.seed}, {results.resamples} bootstrap draws over groups of near-duplicates, "
        f"{CONFIDENCE:.0%} intervals in brackets. Items `{results.suite_sha256[:12]}`. "
        f"`{' '.join(results.command)}`. {NO_VALUE}: not measured.",
        "\n".join(f"- {note}" for note in report.notes),
        _format_rows(results),
        _format_figures(results, "Harmful, flagged, %", "flagged", risky, format_percent),
        _format_figures(results, "Harmful, refused, %", "refused", risky, format_percent),
        _format_figures(results, "Harmless, flagged, %", "flagged", harmless, format_percent),
        _format_figures(results, "Harmless, refused, %", "refused", harmless, format_percent),
        _format_figures(results, "AUROC", "auroc", CONTRASTS, format_number),
        _format_figures(results, _title_recall(), "recall", CONTRASTS, format_percent),
        _format_figures(results, "Calibration error", "ece", (*FORMS, "all"), format_number),
        _format_figures(results, "Seconds for a verdict, median", "seconds", FORMS, format_number),
        _format_figures(results, "Refused without a verdict, %", "no_verdict", FORMS, format_percent),
        _format_replies(results),
        _format_parts(results),
        _format_comparisons(results),
        format_bars(results.bars),
        format_bars(report.goals, "Goals, which need not be reached"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _title_recall() -> str:
    shares = ", ".join(f"{name} {contrast.share:.0%}" for name, contrast in CONTRASTS.items())
    return f"Recall, %, where so many harmless items are flagged: {shares}"


def _format_rows(report: Report) -> str:
    lines = [
        [
            name,
            str(row.spec["content"]),
            str(row.spec["checkpoint"] or NO_VALUE),
            row.checkpoint_sha256[:12] or NO_VALUE,
        ]
        for name, row in report.rows.items()
    ]
    return f"## Rows\n\n{format_table(['row', 'content', 'checkpoint', 'manifest'], lines)}"


def _format_figures(report: Report, title: str, measure: str, columns: Iterable[str], formatter: Formatter) -> str:
    """Format one measure over several columns, without the columns and rows that have none of it."""
    names = [name for name in columns if any(f"{measure}/{name}" in row.figures for row in report.rows.values())]
    lines = [
        [row, *(_format_cell(report, row, f"{measure}/{name}", formatter) for name in names)]
        for row, entry in report.rows.items()
        if any(f"{measure}/{name}" in entry.figures for name in names)
    ]
    return f"## {title}\n\n{format_table(['row', *names], lines)}" if lines else ""


def _format_cell(report: Report, row: str, figure: str, formatter: Formatter) -> str:
    estimate = report.rows[row].figures.get(figure)
    return NO_VALUE if estimate is None else formatter(estimate)


def _format_replies(report: Report) -> str:
    columns = {
        "unsafe": "unsafe_replies",
        "unsafe, words": "unsafe_replies/words",
        "unsafe, with a photograph": "unsafe_replies/photograph",
        "refused by the guard": "refused_replies",
        "unsafe, share of the bare model's": "unsafe_ratio",
    }
    lines = [
        [row, *(_format_cell(report, row, figure, format_percent) for figure in columns.values())]
        for row, entry in report.rows.items()
        if "unsafe_replies" in entry.figures
    ]
    if not lines:
        return ""
    note = "Replies to harmful requests, judged by rules (docs/safevlm-small-evaluation.md)."
    return f"## Unsafe replies, %\n\n{note}\n\n{format_table(['row', *columns], lines)}"


def _format_parts(report: Report) -> str:
    """Format the parts of each column of the shipped row."""
    if SHIPPED not in report.rows:
        return ""
    figures = report.rows[SHIPPED].figures
    lines = []
    for column in COLUMNS:
        start = f"flagged/{column}/"
        for name, flagged in figures.items():
            if name.startswith(start):
                part = name.removeprefix(start)
                refused = figures[f"refused/{column}/{part}"]
                lines.append([column, part, str(flagged.n), format_percent(flagged), format_percent(refused)])
    title = f"## Parts of the columns: {SHIPPED}"
    return f"{title}\n\n{format_table(['column', 'part', 'items', 'flagged, %', 'refused, %'], lines)}" if lines else ""


def _format_comparisons(report: Report) -> str:
    """Format paired differences and tests."""
    lines = []
    for (row, against), comparison in report.comparisons.items():
        for name, difference in comparison.differences.items():
            test = comparison.mcnemar[name]
            lines.append(
                [
                    f"{row} − {against}",
                    name.partition("/")[2],
                    str(test.n),
                    format_number(difference, signed=True),
                    f"{test.only_first} / {test.only_second}",
                    format_p_value(test),
                ]
            )
    if not lines:
        return ""
    note = (
        "Items judged rightly: risky ones flagged, harmless ones not. Differences with paired intervals over groups; "
        "p of McNemar's exact test, which takes items for independent."
    )
    header = ["rows", "items of", "both", "difference", "right: only first / only second", "p"]
    return f"## Rows against rows\n\n{note}\n\n{format_table(header, lines)}"
