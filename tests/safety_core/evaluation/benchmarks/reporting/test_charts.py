import xml.etree.ElementTree as ElementTree

import pytest

from safety_core.evaluation.benchmarks.figures.curves import compute_curves
from safety_core.evaluation.benchmarks.figures.result_table import build_table
from safety_core.evaluation.benchmarks.reporting import charts
from safety_core.evaluation.statistics.estimates import Bootstrap, Estimate
from tests.helpers.benchmarks.run_folders import TAXONOMY, create_verdict, draw_results

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")


def test_charts_are_valid_drawings_in_replaceable_colours() -> None:
    table = build_table(draw_results(100), [], TAXONOMY)
    curves = compute_curves(table, Bootstrap(table.groups, seed=0, resamples=20))
    rates = {"Flagged": Estimate(value=0.5, low=0.4, high=0.6, n=9), "<None>": Estimate(value=0, low=0, high=0, n=1)}
    drawn = [
        charts.draw_rates(rates, prefix="rates", label="Rates"),
        charts.draw_roc(curves, Estimate(value=0.9, low=0.8, high=1, n=9)),
        charts.draw_precision_recall(curves, None),
        charts.draw_reliability(curves),
    ]
    colours = {charts.INK, charts.QUIET, charts.LINE, charts.SERIES, charts.SECOND, "none"}
    for svg in drawn:
        assert svg is not None
        tree = ElementTree.fromstring(svg)
        used = {element.get(name) for element in tree.iter() for name in ("fill", "stroke")} - {None}
        assert used <= colours
    assert charts.draw_rates(rates, prefix="rates", label="Rates") == drawn[0]


def test_curves_that_are_not_defined_are_not_drawn() -> None:
    table = build_table([create_verdict(n, risk=0.2, decision="allowed") for n in range(3)], [], TAXONOMY)
    curves = compute_curves(table, Bootstrap(table.groups, seed=0, resamples=5))
    assert charts.draw_roc(curves, None) is None
    assert charts.draw_precision_recall(curves, None) is None
