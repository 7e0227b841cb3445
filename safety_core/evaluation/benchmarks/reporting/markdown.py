"""Reports as Markdown: the tables of a run, and two runs compared. Contains no prompt, no reply and no picture."""

from __future__ import annotations

from collections.abc import Iterator

from safety_core.evaluation.benchmarks.reporting.report_tables import (
    Cell,
    ReportTable,
    list_attack_rows,
    list_category_rows,
    list_compared_rows,
    list_judge_rows,
    list_main_rows,
    list_score_rows,
    list_settings,
    list_type_rows,
)
from safety_core.evaluation.benchmarks.reporting.run_report import RunReport
from safety_core.evaluation.benchmarks.reporting.summary import describe_run, list_cautions
from safety_core.evaluation.runs.cells import format_table

KIND_TITLES = {
    "unsafe_reply": "Unsafe replies",
    "missed": "Risky items that were allowed",
    "false_refusal": "Harmless items that were refused",
    "false_caution": "Harmless items that were cautioned",
    "refused_question": "Questions that were refused",
    "wrong_answer": "Wrong answers",
}
"""Kind of failure → its title."""


def format_run_report(report: RunReport) -> str:
    """Format the report of a run."""
    return "\n\n".join(_list_parts(report)) + "\n"


def format_markdown_table(table: ReportTable, *, titled: bool = True) -> str:
    """Format a table with its title and note."""
    rows = [[_format_cell(cell, first=place == 0) for place, cell in enumerate(row)] for row in table.rows]
    parts = [f"## {table.title}"] if titled else []
    parts.append(format_table([escape_markdown(name) for name in table.header], rows))
    return "\n\n".join([*parts, *([escape_markdown(table.note)] if table.note else [])])


def _list_parts(report: RunReport) -> Iterator[str]:
    run, figures = report.run, report.figures
    yield f"# {escape_markdown(run.system.name)} on {escape_markdown(run.suite.name)}"
    yield escape_markdown(" ".join(describe_run(run, figures)))
    if cautions := list_cautions(figures):
        yield "\n".join(f"- {escape_markdown(caution)}" for caution in cautions)
    yield format_markdown_table(list_main_rows(figures))
    if (scores := list_score_rows(report.scores)) is not None:
        yield format_markdown_table(scores)
    for list_rows in (list_type_rows, list_judge_rows, list_attack_rows, list_category_rows):
        if (table := list_rows(figures)) is not None:
            yield format_markdown_table(table)
    if report.utility is not None:
        yield f"## Against {escape_markdown(report.utility.bare)}, without the guard"
        yield format_markdown_table(
            list_compared_rows(report.utility.figures, "With the guard", "Without"), titled=False
        )
    yield "## Failures"
    yield "\n".join(f"- {KIND_TITLES[one.kind]}: {one.total}" for one in report.failures) or "None."
    yield "## Configuration"
    yield format_table(
        ["Setting", "Value"],
        [[escape_markdown(name), f"`{escape_markdown(value)}`"] for name, value in list_settings(report)],
    )


def escape_markdown(text: str) -> str:
    """Escape a text for a cell or a paragraph."""
    return text.replace("|", "\\|").replace("\n", " ").replace("`", "'").replace("<", "&lt;")


def _format_cell(cell: Cell, *, first: bool) -> str:
    """Format a cell; the details of a row's name, such as the meaning of a figure, are for the page."""
    detail = f" ({cell.detail})" if cell.detail and cell.detail != "–" and not first else ""
    return escape_markdown(cell.value + detail)
