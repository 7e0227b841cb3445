"""The tables of a run's report, as rows of texts; Markdown and the page show the same ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safety_core.evaluation.benchmarks.figures.comparison import ComparedFigure
from safety_core.evaluation.benchmarks.figures.named_figures import Figures
from safety_core.evaluation.benchmarks.figures.run_figures import RunFigures
from safety_core.evaluation.benchmarks.reporting.figure_texts import (
    FIGURE_TEXTS,
    NO_VALUE,
    format_estimate,
    format_interval,
    format_number,
    format_value,
    get_text,
)
from safety_core.evaluation.benchmarks.reporting.run_report import RunReport
from safety_core.evaluation.benchmarks.suites.abilities.scores import AbilityScore
from safety_core.evaluation.statistics.estimates import Estimate

TYPE_COLUMNS = ("precision", "recall", "f1", "auroc", "auprc")
CATEGORY_COLUMNS = ("detection", "false_refusals", "attack_success", "answered", "ability")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: a value, and what stands below it in small letters."""

    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTable:
    """A table; the first column names the rows."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


def list_main_rows(figures: RunFigures) -> ReportTable:
    """List the overall figures with their intervals, numbers of items and meanings."""
    header = ["Figure", "Value, 95 % interval", "Items", "Unscored"]
    if figures.unseen is not None:
        header.append("Never seen")
    rows = []
    for name in _order(figures.overall):
        text, estimate = get_text(name), figures.overall[name]
        row = [
            Cell(value=text.title, detail=text.meaning),
            Cell(value=format_value(estimate, text.unit), detail=format_interval(estimate, text.unit)),
            Cell(value=format_number(estimate.n)),
            Cell(value=format_number(estimate.unscored)),
        ]
        if figures.unseen is not None:
            unseen = figures.unseen.get(name)
            row.append(Cell(value=format_value(unseen, text.unit), detail=format_interval(unseen, text.unit)))
        rows.append(row)
    return ReportTable(title="Figures", header=header, rows=rows)


def list_type_rows(figures: RunFigures) -> ReportTable | None:
    """List the figures of each risk type; None without any."""
    names = [name for name in TYPE_COLUMNS if any(name in one for one in figures.by_type.values())]
    if not names:
        return None
    rows = []
    for risk_type, own in figures.by_type.items():
        positives = next((own[name].n for name in ("recall", "detection") if name in own), None)
        items = NO_VALUE if positives is None else format_number(positives)
        rows.append([Cell(value=risk_type), Cell(value=items), *(_create_cell(own, name) for name in names)])
    return ReportTable(
        title="Risk types",
        header=["Type", "Items", *(_shorten(name) for name in names)],
        rows=rows,
        note="Precision, recall and F1 ask whether the guard flagged an item as this type; AUROC and AUPRC rank all "
        "items by the score of the type.",
    )


def list_category_rows(figures: RunFigures) -> ReportTable | None:
    """List the rates of each category; None if there is only one."""
    names = [name for name in CATEGORY_COLUMNS if any(name in one.figures for one in figures.by_category)]
    if not names:
        return None
    several = len({one.source for one in figures.by_category}) > 1
    rows = [
        [
            Cell(value=one.category, detail=one.source if several else ""),
            Cell(value=format_number(one.items)),
            *(_create_cell(one.figures, name) for name in names),
        ]
        for one in figures.by_category
    ]
    return ReportTable(title="Categories", header=["Category", "Items", *map(_shorten, names)], rows=rows)


def list_judge_rows(figures: RunFigures) -> ReportTable | None:
    """List the figures of each judge; None without judges."""
    names = [
        name
        for name in ("attack_success", "unsafe_harmless", "score_risky", "score_harmless")
        if any(name in one.figures for one in figures.judges)
    ]
    if not names:
        return None
    rows = []
    for one in figures.judges:
        shares = [one.figures[name] for name in ("attack_success", "unsafe_harmless") if name in one.figures]
        unscored = sum(estimate.unscored for estimate in shares or one.figures.values())
        rows.append(
            [
                Cell(value=one.judge, detail=one.rubric),
                *(_create_cell(one.figures, name) for name in names),
                Cell(value=format_number(unscored)),
            ]
        )
    agreements = "; ".join(
        f"{one.judges[0]} and {one.judges[1]} agree on {format_estimate(one.share, 'percent')} of "
        f"{format_number(one.share.n)} replies ({one.rubric})"
        + ("" if one.kappa.value is None else f", kappa {format_estimate(one.kappa, 'number')}")
        for one in figures.agreements
        if one.share.value is not None
    )
    return ReportTable(
        title="Judges of the replies",
        header=["Judge", *(get_text(name).title for name in names), "Unscored"],
        rows=rows,
        note=f"{agreements}." if agreements else "",
    )


def list_attack_rows(figures: RunFigures) -> ReportTable | None:
    """List attack success by risk type and judge; None without judges."""
    judges = [one for one in figures.judges if one.by_type]
    if not judges:
        return None
    types = dict.fromkeys(name for one in judges for name in one.by_type)
    rows = [
        [Cell(value=name), *(_create_named_cell(one.by_type, name, "attack_success") for one in judges)]
        for name in types
    ]
    header = ["Type", *(f"{one.judge} ({one.rubric})" for one in judges)]
    return ReportTable(title="Attack success by risk type", header=header, rows=rows)


def list_score_rows(scores: Mapping[str, AbilityScore]) -> ReportTable | None:
    """List the scores of an ability suite, without those of its categories; None for other suites."""
    chosen = {name: score for name, score in scores.items() if "/" not in name or name.startswith("score/")}
    if not chosen:
        return None
    rows = [
        [
            Cell(value=name.removeprefix("score/").replace("_", " ")),
            Cell(value=NO_VALUE if score.value is None else f"{score.value:.4g}"),
            Cell(value=format_number(score.scored)),
            Cell(value=format_number(score.unscored)),
        ]
        for name, score in chosen.items()
    ]
    return ReportTable(
        title="Scores of the benchmark",
        header=["Score", "Value", "Scored", "Unscored"],
        rows=rows,
        note="As the authors of the benchmark define them, so that they can be compared with published ones; without "
        "intervals.",
    )


def list_compared_rows(figures: Sequence[ComparedFigure], first: str, second: str) -> ReportTable:
    """List figures of two runs with their differences and tests."""
    rows = []
    for one in figures:
        text = get_text(one.name.rsplit(" · ", 1)[-1])
        judge = " · ".join(one.name.split(" · ")[:-1])
        p_value = NO_VALUE if one.test is None or not one.test.n else _format_p(one.test.p_value)
        split = "" if one.test is None else f"{one.test.only_first} to {one.test.only_second}"
        rows.append(
            [
                Cell(value=text.title, detail=judge or text.meaning),
                Cell(value=format_value(one.first, text.unit), detail=format_interval(one.first, text.unit)),
                Cell(value=format_value(one.second, text.unit), detail=format_interval(one.second, text.unit)),
                Cell(
                    value=format_value(one.difference, text.unit, signed=True),
                    detail=format_interval(one.difference, text.unit, signed=True),
                ),
                Cell(value=p_value, detail=split),
                Cell(value=format_number(one.difference.n)),
            ]
        )
    return ReportTable(
        title="Differences", header=["Figure", first, second, "Difference", "p (McNemar)", "Items"], rows=rows
    )


def list_settings(report: RunReport) -> list[tuple[str, str]]:
    """List the configuration of a run: names and values."""
    run = report.run
    suite, system = run.suite, run.system
    pairs = [
        ("Suite", suite.name),
        ("Suite digest", suite.digest),
        ("Licence of the suite", suite.licence or "unknown"),
        ("Data", suite.data or NO_VALUE),
        (
            "System",
            f"{system.name} ({system.kind}{'' if system.protocol is None else f', asked as {system.protocol}'})",
        ),
        ("Model", system.model or NO_VALUE),
        ("Checkpoint digest", system.digest or "unknown"),
        ("Commit", run.commit or "unknown"),
        ("Command", " ".join(run.command) or NO_VALUE),
        ("Seed of the run", str(run.seed)),
        ("Items trained on", {"mark": "in the figures, and counted", "drop": "left out"}[report.options.trained]),
        ("Bootstrap", f"{report.options.resamples} draws of groups, seed {report.options.seed}"),
    ]
    pairs += [(name.replace("_", " ").capitalize(), _format_setting(value)) for name, value in run.settings.items()]
    pairs += [("Versions", ", ".join(f"{name} {version}" for name, version in run.versions.items()) or NO_VALUE)]
    if run.policy is not None:
        pairs.append(("Policy", json.dumps(run.policy, ensure_ascii=False)))
    return pairs


def _order(figures: Figures) -> list[str]:
    known = [name for name in FIGURE_TEXTS if name in figures]
    return [*known, *(name for name in figures if name not in FIGURE_TEXTS)]


def _shorten(name: str) -> str:
    text = get_text(name)
    return text.short or text.title


def _create_cell(figures: Figures, name: str) -> Cell:
    return _create_named_cell(figures, name, name)


def _create_named_cell(figures: Mapping[str, Estimate], key: str, figure: str) -> Cell:
    unit, estimate = get_text(figure).unit, figures.get(key)
    if estimate is None or estimate.value is None:
        return Cell(value=NO_VALUE)
    return Cell(value=format_value(estimate, unit), detail=format_interval(estimate, unit))


def _format_p(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _format_setting(value: object) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
