"""The page of a run's report: one HTML file that asks for nothing, runs no script, and reads well in light and dark.

Needs jinja2 and matplotlib, of the extra ``eval``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.figures.curves import EXTRA_NEEDED
from safety_core.evaluation.benchmarks.figures.failures import Failure
from safety_core.evaluation.benchmarks.reporting import charts
from safety_core.evaluation.benchmarks.reporting.figure_texts import format_interval, format_value, get_text
from safety_core.evaluation.benchmarks.reporting.markdown import KIND_TITLES
from safety_core.evaluation.benchmarks.reporting.report_tables import (
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
from safety_core.evaluation.benchmarks.reporting.thumbnails import Thumbnail, read_thumbnail
from safety_core.evaluation.statistics.estimates import Estimate

TEMPLATES = "safety_core.evaluation.benchmarks.reporting"

_TILES = ("detection", "false_refusals", "auroc", "attack_success", "ability", "ece", "latency_median")
"""Figures at the top of the page; the first five that there are."""

_MOST_TILES = 5
_RATES = ("detection", "refusal", "precision", "false_refusals", "false_alarms", "answered", "ability")
_LONGEST_TEXT = 4000
"""Characters of a prompt or a reply that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A figure at the top of the page."""

    title: str
    value: str
    interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A failure as it is shown."""

    item_id: str
    facts: tuple[str, ...]
    thumbnails: tuple[Thumbnail, ...]
    pictures: int
    """Number of the item's pictures, shown or not."""

    prompt: str | None
    reply: str | None
    expected: str | None
    """The right answer to a question."""

    given: str | None
    """The answer that was found in the reply."""


def render_page(report: RunReport, folder: Path) -> str:
    """Render the page.

    Args:
        report: the report.
        folder: folder of the run, for thumbnails.

    Raises:
        ConfigError: the extra ``eval`` is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    style = _read_template("report.css")
    environment = Environment(
        loader=FunctionLoader(_read_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = report.figures
    page = environment.get_template("report.html.j2").render(
        style=Markup(style),  # our own file
        style_hash=_hash_style(style),
        run=report.run,
        sentences=describe_run(report.run, figures),
        cautions=list_cautions(figures),
        tiles=_list_tiles(report),
        charts={name: svg and Markup(svg) for name, svg in _draw(report).items()},  # drawn and escaped by us
        main=list_main_rows(figures),
        tables=[
            table
            for table in (
                list_score_rows(report.scores),
                list_type_rows(figures),
                list_judge_rows(figures),
                list_attack_rows(figures),
                list_category_rows(figures),
            )
            if table is not None
        ],
        utility=report.utility,
        utility_table=None
        if report.utility is None
        else list_compared_rows(report.utility.figures, "With the guard", "Without"),
        failures=[
            {
                "title": KIND_TITLES[one.kind],
                "total": one.total,
                "cards": [_create_card(each, folder) for each in one.shown],
            }
            for one in report.failures
        ],
        settings=list_settings(report),
        options=report.options,
    )
    return page + "\n"


def _read_template(name: str) -> str:
    return files(TEMPLATES).joinpath("templates", name).read_text(encoding="utf-8")


def _hash_style(style: str) -> str:
    """Compute the source expression that allows this style sheet and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"


def _list_tiles(report: RunReport) -> list[Tile]:
    figures: dict[str, Estimate] = dict(report.figures.overall)
    for judge in report.figures.judges:
        if "attack_success" in judge.figures:
            figures.setdefault("attack_success", judge.figures["attack_success"])
    chosen = [name for name in _TILES if name in figures and figures[name].value is not None]
    return [
        Tile(
            title=get_text(name).title,
            value=format_value(figures[name], get_text(name).unit),
            interval=format_interval(figures[name], get_text(name).unit),
        )
        for name in chosen[:_MOST_TILES]
    ]


def _draw(report: RunReport) -> dict[str, str | None]:
    """Draw the charts; None where there are no figures for one."""
    figures = report.figures
    rates: dict[str, Estimate] = {
        get_text(name).title: figures.overall[name] for name in _RATES if name in figures.overall
    }
    for judge in figures.judges:
        if "attack_success" in judge.figures:
            rates[f"Attack success ({judge.judge})"] = judge.figures["attack_success"]
    types: Mapping[str, Estimate] = {
        name: own["detection"] for name, own in figures.by_type.items() if "detection" in own
    }
    return {
        "rates": charts.draw_rates(rates, prefix="rates", label="Rates with 95 % intervals") if rates else None,
        "types": charts.draw_rates(types, prefix="types", label="Risky items flagged by risk type, with 95 % intervals")
        if types
        else None,
        "roc": charts.draw_roc(figures.curves, figures.overall.get("auroc")),
        "precision_recall": charts.draw_precision_recall(figures.curves, figures.overall.get("auprc")),
        "reliability": charts.draw_reliability(figures.curves),
    }


def _create_card(failure: Failure, folder: Path) -> Card:
    item = failure.item
    facts = [f"{item.type}, level {item.level}", item.category]
    if item.decision is not None:
        facts.append(item.decision + (f" as {item.risk_type}" if item.risk_type else ""))
    if item.risk is not None:
        facts.append(f"risk {item.risk:.3f}")
    if failure.judges:
        facts.append(f"unsafe by {'; '.join(failure.judges)}")
    if item.trained_on is not None:
        facts.append("trained on" if item.trained_on == "id" else "near-duplicate of what was trained on")
    thumbnails = [read_thumbnail(folder, digest) for digest in item.pictures]
    return Card(
        item_id=item.id,
        facts=tuple(facts),
        thumbnails=tuple(one for one in thumbnails if one is not None),
        pictures=len(item.pictures),
        prompt=_shorten(item.prompt),
        reply=_shorten(item.reply),
        expected=None if item.answer is None else _shorten(item.answer.expected),
        given=None if item.answer is None else _shorten(item.answer.given),
    )


def _shorten(text: str | None) -> str | None:
    return text if text is None or len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + " …"
