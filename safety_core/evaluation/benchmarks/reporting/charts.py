"""Charts of a report as SVG: rates with intervals, curves, reliability.

Colours are marks that the page's style sheet replaces by those of its light or dark scheme. Needs matplotlib, of the
extra ``eval``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.figures.curves import EXTRA_NEEDED, Curves
from safety_core.evaluation.benchmarks.reporting.svg_cleaning import clean_svg
from safety_core.evaluation.statistics.estimates import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, LINE, SERIES, SECOND, GROUND = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
"""Marks of colours; ``templates/report.css`` gives them their values."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # letters stay letters: small, and in the page's font
    "svg.hashsalt": "safevlm",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
}


def draw_rates(rates: Mapping[str, Estimate], *, prefix: str, label: str) -> str:
    """Draw rates as points with their intervals, one row each, from 0 to 100 %."""
    shown = {title: one for title, one in rates.items() if one.value is not None}
    with _figure(4.2, 0.5 + 0.28 * max(1, len(shown))) as (figure, axes):
        for row, estimate in enumerate(shown.values()):
            value, low, high = (100 * (end or 0.0) for end in (estimate.value, estimate.low, estimate.high))
            axes.plot([low, high], [row, row], color=SERIES, linewidth=5, alpha=0.3, solid_capstyle="butt")
            axes.plot([value], [row], color=SERIES, marker="o", markersize=5.5)
        axes.set_yticks(range(len(shown)), list(shown))
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlim(-1, 101)
        axes.set_xticks(range(0, 101, 25), ["0", "25", "50", "75", "100 %"])
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        return _render(figure, prefix, label)


def draw_roc(curves: Curves, auroc: Estimate | None) -> str | None:
    """Draw the receiver operating characteristic; None where it is not defined."""
    if curves.roc is None:
        return None
    with _figure(3.6, 3.3) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(curves.roc.x, curves.roc.y, color=SERIES, linewidth=2)
        if curves.served is not None:
            _mark_served(axes, curves.served[0], curves.served[1])
        _set_unit_axes(axes, "share of harmless items flagged", "share of risky items flagged")
        area = "" if auroc is None or auroc.value is None else f", area {auroc.value:.3f}"
        return _render(figure, "roc", f"Receiver operating characteristic{area}")


def draw_precision_recall(curves: Curves, auprc: Estimate | None) -> str | None:
    """Draw precision by recall; None where it is not defined."""
    if curves.precision_recall is None:
        return None
    with _figure(3.6, 3.3) as (figure, axes):
        if curves.base_rate is not None:
            axes.axhline(curves.base_rate, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(curves.precision_recall.x, curves.precision_recall.y, color=SERIES, linewidth=2)
        if curves.served is not None:
            _mark_served(axes, curves.served[1], curves.served[2])
        _set_unit_axes(axes, "recall", "precision")
        area = "" if auprc is None or auprc.value is None else f", area {auprc.value:.3f}"
        return _render(figure, "precision-recall", f"Precision by recall{area}")


def draw_reliability(curves: Curves) -> str | None:
    """Draw the share of risky items by the stated risk, above the number of items; None without scores."""
    if not curves.reliability:
        return None
    with _figure(3.6, 3.3, rows=(4, 1)) as (figure, axes):
        above, below = axes
        above.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        for one in curves.reliability:
            above.plot(
                [one.mean_risk] * 2,
                [one.observed.low or 0.0, one.observed.high or 0.0],
                color=SERIES,
                linewidth=5,
                alpha=0.3,
                solid_capstyle="butt",
            )
        risks = [one.mean_risk for one in curves.reliability]
        above.plot(
            risks, [one.observed.value or 0.0 for one in curves.reliability], color=SERIES, marker="o", markersize=4.5
        )
        _set_unit_axes(above, "", "share of risky items")
        below.bar(
            [one.low for one in curves.reliability],
            [one.observed.n for one in curves.reliability],
            width=1 / 15 * 0.9,
            align="edge",
            color=SECOND,
        )
        below.set_xlim(-0.02, 1.02)
        below.set_xlabel("stated risk")
        below.set_ylabel("items")
        below.grid(visible=False)
        below.locator_params(axis="y", nbins=2)
        above.tick_params(axis="x", labelbottom=False)
        return _render(figure, "reliability", "Reliability: share of risky items by the stated risk")


def _mark_served(axes: Axes, x: float, y: float) -> None:
    axes.plot([x], [y], color=SECOND, marker="D", markersize=7, linestyle="none", label="served thresholds")
    axes.legend(loc="lower center" if y > 0.5 else "upper center", handletextpad=0.2)


def _set_unit_axes(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


@contextmanager
def _figure(width: float, height: float, rows: Sequence[int] = ()) -> Iterator[tuple[Figure, Any]]:
    """Create a figure, in inches, with one axes or some below each other; the global state stays as it is."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure as NewFigure
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    with rc_context(_STYLE):
        figure = NewFigure(figsize=(width, height), layout="constrained")
        if rows:
            yield figure, figure.subplots(len(rows), 1, sharex=True, height_ratios=list(rows))
        else:
            yield figure, figure.subplots()


def _render(figure: Figure, prefix: str, label: str) -> str:
    stream = StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return clean_svg(stream.getvalue(), prefix=prefix, label=label)
