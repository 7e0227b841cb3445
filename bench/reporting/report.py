"""The report of a measurement: a table on the terminal, a dated JSON record, a plot, and whether bars are cleared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.paths import RESULTS
from bench.reporting.estimates import Estimate
from bench.reporting.records import measure_foreign_cores, write_record

NOISY = 0.15
"""Average number of cores used by other processes above which a report contains a warning."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bound that a figure must keep."""

    what: str
    measured: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def cleared(self) -> bool:
        """Whether the figure keeps the bound."""
        return (self.at_most is None or self.measured <= self.at_most) and (
            self.at_least is None or self.measured >= self.at_least
        )

    @property
    def wanted(self) -> str:
        """The bound as text."""
        return f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a plot."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A line plot."""

    title: str
    x: str
    y: str
    series: Sequence[Series]
    logarithmic: bool = False


def report_measurement(
    name: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    figures: Mapping[str, object],
    bars: Sequence[Bar] = (),
    plot: Plot | None = None,
    notes: Sequence[str] = (),
    folder: Path = RESULTS,
) -> Path:
    """Print a measurement, write its record and draw its plot.

    Args:
        name: of the measurement and its files.
        columns: heads of the table.
        rows: cells of the table.
        figures: content of the record, with units in the names; estimates become median and interval.
        bars: bounds of the figures.
        plot: drawn beside the record, unless matplotlib is not installed.
        notes: printed below the table and written into the record.
        folder: of the files.

    Returns:
        The path of the record.
    """
    console = Console()
    table = Table(*columns, title=name)
    for row in rows:
        table.add_row(*(_format_cell(cell) for cell in row))
    console.print(table)
    for bar in bars:
        verdict = "cleared" if bar.cleared else "MISSED"
        console.print(f"{verdict:8} {bar.what}: {bar.measured:.3g} ({bar.wanted})", markup=False)
    if (foreign := measure_foreign_cores()) > NOISY:
        console.print(f"other processes used {foreign:.1f} cores on average: these figures are not reliable")
    for note in notes:
        console.print(note, markup=False)
    held = [
        {"what": bar.what, "measured": float(f"{bar.measured:.4g}"), "wanted": bar.wanted, "cleared": bar.cleared}
        for bar in bars
    ]
    path = write_record(name, {**_convert_figures(figures), "bars": held, "notes": list(notes)}, folder=folder)
    if plot is not None:
        _draw(plot, path.with_suffix(".svg"), console)
    console.print(str(path), markup=False)
    return path


def _format_cell(cell: object) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _convert_figures(figures: Mapping[str, object]) -> dict[str, object]:
    plain: dict[str, object] = {}
    for name, value in figures.items():
        if isinstance(value, Estimate):
            plain[name] = value.to_dict()
        elif isinstance(value, Mapping):
            plain[name] = _convert_figures(value)
        else:
            plain[name] = float(f"{value:.4g}") if isinstance(value, float) else value
    return plain


def _draw(plot: Plot, path: Path, console: Console) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        console.print("no plot: matplotlib is not installed (pip install '.[bench]')", markup=False)
        return
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for series in plot.series:
        axes.plot(series.x, series.y, marker="o", label=series.label)
    if plot.logarithmic:
        axes.set_xscale("log", base=2)
    axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
