import json
from pathlib import Path

import pytest

from bench.reporting.estimates import estimate_median
from bench.reporting.report import Bar, Plot, Series, report_measurement


def test_bars() -> None:
    assert Bar("a", 1.25, at_most=1.25).cleared
    assert not Bar("a", 1.26, at_most=1.25).cleared
    assert Bar("a", 3.0, at_least=3.0).cleared
    assert not Bar("a", float("nan"), at_least=3.0).cleared
    assert (Bar("a", 1, at_most=1.25).wanted, Bar("a", 1, at_least=3.0).wanted) == ("≤ 1.25", "≥ 3")


def test_a_measurement_is_printed_written_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    path = report_measurement(
        "toy",
        ("what", "ms"),
        [("ours", estimate_median([1.0, 2.0]))],
        figures={"ms": {"ours": estimate_median([1.0, 2.0])}, "rounds": 2, "share": 1 / 3},
        bars=[Bar("ms", 1.5, at_most=1.0)],
        plot=Plot(title="toy", x="round", y="ms", series=[Series("ours", [1, 2], [1.0, 2.0])]),
        notes=["only a toy"],
        folder=tmp_path,
    )
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    assert figures["ms"]["ours"]["median"] == 1.5
    assert figures["share"] == 0.3333
    assert figures["bars"] == [{"what": "ms", "measured": 1.5, "wanted": "≤ 1", "cleared": False}]
    assert path.with_suffix(".svg").read_text(encoding="utf-8").startswith("<?xml")
    printed = capsys.readouterr().out
    assert "MISSED   ms: 1.5 (≤ 1)" in printed
    assert "only a toy" in printed
