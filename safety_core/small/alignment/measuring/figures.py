"""Figures of graded answers, with intervals by a bootstrap over pictures, and their table. Knows no model."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from safety_core.evaluation.statistics.estimates import Bootstrap, Estimate
from safety_core.files import write_text
from safety_core.small.alignment.measuring.items import Item, grade_answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One share of answers."""

    row: str
    measure: str
    estimate: Estimate


def compute_figures(items: Sequence[Item], answers: Sequence[str], *, seed: int = 0) -> list[Figure]:
    """Compute the share of answers with each grade, row by row.

    Args:
        items: the questions.
        answers: the answer to each.
        seed: seed of the bootstrap.

    Raises:
        ValueError: the numbers of questions and answers differ, or there is none.
    """
    grades = [grade_answer(item, answer) for item, answer in zip(items, answers, strict=True)]
    bootstrap = Bootstrap([item.cluster for item in items], seed=seed)
    names = dict.fromkeys((item.row, measure) for item, grade in zip(items, grades, strict=True) for measure in grade)
    figures = []
    for row, measure in names:
        applies_P = np.array([item.row == row for item in items])
        values_P = np.array([grade.get(measure, np.nan) for grade in grades], dtype=np.float64)
        figures.append(Figure(row=row, measure=measure, estimate=bootstrap.estimate_mean(values_P, applies_P)))
    return figures


def format_figures(figures: Sequence[Figure]) -> str:
    """Format figures as a Markdown table."""
    lines = ["| row | measure | answers | share | 95 % interval |", "| --- | --- | --- | --- | --- |"]
    for figure in figures:
        found = figure.estimate
        share = "-" if found.value is None else f"{found.value:.3f}"
        interval = "-" if found.low is None or found.high is None else f"{found.low:.3f}-{found.high:.3f}"
        lines.append(f"| {figure.row} | {figure.measure} | {found.n} | {share} | {interval} |")
    return "\n".join(lines) + "\n"


def write_figures(figures: Sequence[Figure], file: Path) -> None:
    """Write figures as JSON; no question, answer or picture is in it."""
    rows = [{"row": one.row, "measure": one.measure, **one.estimate.to_dict()} for one in figures]
    write_text(file, json.dumps(rows, indent=2) + "\n")
