import sys

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.figures.curves import MOST_POINTS, compute_curves, require_libraries
from safety_core.evaluation.benchmarks.figures.result_table import build_table
from safety_core.evaluation.statistics.estimates import Bootstrap
from tests.helpers.benchmarks.run_folders import TAXONOMY, create_verdict, draw_results

pytest.importorskip("sklearn")


def test_curves_run_from_end_to_end_and_bins_hold_every_item() -> None:
    table = build_table(draw_results(2000), [], TAXONOMY)
    curves = compute_curves(table, Bootstrap(table.groups, seed=0, resamples=20))
    assert curves.roc is not None
    assert curves.precision_recall is not None
    assert (curves.roc.x[0], curves.roc.y[0], curves.roc.x[-1], curves.roc.y[-1]) == (0, 0, 1, 1)
    assert len(curves.roc.x) <= MOST_POINTS
    assert curves.precision_recall.x[-1] == 1
    assert sum(one.observed.n for one in curves.reliability) == 2000
    assert all(one.low <= one.mean_risk <= one.high for one in curves.reliability)
    assert curves.served is not None
    assert curves.base_rate == pytest.approx(0.6)


def test_curves_of_one_class_are_not_defined() -> None:
    table = build_table([create_verdict(n, risk=0.5, type="illegal", level=1) for n in range(5)], [], TAXONOMY)
    curves = compute_curves(table, Bootstrap(table.groups, seed=0, resamples=20))
    assert curves.roc is None
    assert curves.precision_recall is None
    assert curves.served is None
    assert len(curves.reliability) == 1


def test_missing_libraries_are_named_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    require_libraries()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"safevlm-guard\[eval\]"):
        require_libraries()
