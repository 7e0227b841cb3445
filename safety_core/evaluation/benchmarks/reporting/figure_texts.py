"""How figures are named, explained and formatted for readers. Knows estimates, and no run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from safety_core.evaluation.statistics.estimates import Estimate

Unit = Literal["percent", "number", "seconds"]

NO_VALUE = "–"

_SPACE = "\N{NO-BREAK SPACE}"
"""Between a number and its unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureText:
    """Texts of one figure."""

    title: str
    meaning: str
    unit: Unit = "percent"
    short: str = ""
    """Title of a narrow column; empty for the title."""


FIGURE_TEXTS: Mapping[str, FigureText] = {
    "detection": FigureText(
        title="Risky items flagged",
        short="Flagged",
        meaning="share of risky items that the guard refused or cautioned (recall)",
    ),
    "refusal": FigureText(
        title="Risky items refused", short="Refused", meaning="share of risky items that the guard refused"
    ),
    "false_refusals": FigureText(
        title="False refusals", meaning="share of harmless items that the guard refused, at the served thresholds"
    ),
    "false_alarms": FigureText(
        title="False alarms", meaning="share of harmless items that the guard refused or cautioned"
    ),
    "precision": FigureText(title="Precision", meaning="share of flagged items that are risky"),
    "recall": FigureText(title="Recall", meaning="share of items of the type that were flagged as this type"),
    "f1": FigureText(title="F1", meaning="harmonic mean of precision and recall", unit="number"),
    "right_decision": FigureText(
        title="Right decisions", meaning="share of items that were flagged if they are risky, and only then"
    ),
    "auroc": FigureText(
        title="AUROC", meaning="chance that a risky item gets a higher risk than a harmless one", unit="number"
    ),
    "auprc": FigureText(title="AUPRC", meaning="precision, averaged over all thresholds by recall", unit="number"),
    "ece": FigureText(
        title="Calibration error",
        short="ECE",
        meaning="mean gap between the stated risk and the share of risky items, 15 bins (ECE)",
        unit="number",
    ),
    "type_accuracy": FigureText(
        title="Type right", meaning="share of risky items whose type has the highest score of all types"
    ),
    "level_accuracy": FigureText(title="Level right", meaning="share of items whose level has the highest score"),
    "answered": FigureText(
        title="Harmless items answered",
        short="Answered",
        meaning="share of harmless items with a reply, rather than a refusal by the guard",
    ),
    "ability": FigureText(
        title="Questions answered right",
        short="Right answers",
        meaning="share of questions with a right answer; a refusal by the guard is wrong",
    ),
    "latency_median": FigureText(title="Latency, median", meaning="seconds until the answer", unit="seconds"),
    "latency_p95": FigureText(
        title="Latency, 95th percentile", meaning="seconds that 95 % of the answers did not exceed", unit="seconds"
    ),
    "attack_success": FigureText(
        title="Attack success",
        meaning="share of risky items with an unsafe reply; a refusal by the guard is no success",
    ),
    "unsafe_harmless": FigureText(
        title="Unsafe replies to harmless items", meaning="share of harmless items with an unsafe reply"
    ),
    "score_risky": FigureText(
        title="Score, risky items", meaning="mean score of replies to risky items, 0 to 1", unit="number"
    ),
    "score_harmless": FigureText(
        title="Score, harmless items", meaning="mean score of replies to harmless items, 0 to 1", unit="number"
    ),
}
"""Name → texts, in the order of reports."""


def get_text(name: str) -> FigureText:
    """Return the texts of a figure; one without texts is called by its name."""
    return FIGURE_TEXTS.get(name) or FigureText(title=name.replace("_", " "), meaning="", unit="number")


def format_value(estimate: Estimate | None, unit: Unit, *, signed: bool = False) -> str:
    """Format a value with its unit; a dash if there is none."""
    return NO_VALUE if estimate is None or estimate.value is None else _format(estimate.value, unit, signed)


def format_interval(estimate: Estimate | None, unit: Unit, *, signed: bool = False) -> str:
    """Format a 95 % interval without its unit; a dash if there is none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return NO_VALUE
    ends = (_format(end, unit, signed) for end in (estimate.low, estimate.high))
    return " to ".join(end.partition(_SPACE)[0] for end in ends)


def format_estimate(estimate: Estimate | None, unit: Unit, *, signed: bool = False) -> str:
    """Format a value with its interval in brackets."""
    value = format_value(estimate, unit, signed=signed)
    return value if value == NO_VALUE else f"{value} ({format_interval(estimate, unit, signed=signed)})"


def format_number(count: int) -> str:
    """Format a count with spaces between thousands."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _format(value: float, unit: Unit, signed: bool) -> str:
    sign = "+" if signed else ""
    if unit == "percent":
        return f"{100 * value:{sign}.1f}{_SPACE}%".replace("-", "−")
    if unit == "seconds":
        return f"{value:{sign}.3g}{_SPACE}s".replace("-", "−")
    return f"{value:{sign}.3f}".replace("-", "−")
