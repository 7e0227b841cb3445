import pytest

from safety_core.evaluation.runs.cells import NO_VALUE, format_bars, format_number, format_percent, format_table
from safety_core.evaluation.statistics.bars import BarResult
from safety_core.evaluation.statistics.estimates import Estimate

NOTHING = Estimate(value=None, low=None, high=None, n=0)


def test_a_figure_is_shown_with_its_interval() -> None:
    share = Estimate(value=0.5, low=0.25, high=0.75, n=8)
    assert format_percent(share) == "50.0 [25.0, 75.0]"
    assert format_number(share) == "0.500 [0.250, 0.750]"
    assert format_number(share, signed=True) == "+0.500 [+0.250, +0.750]"
    assert format_number(Estimate(value=9.5, low=9.0, high=10.0, n=8)) == "9.50 [9.00, 10.00]"


@pytest.mark.parametrize("format_cell", [format_percent, format_number])
def test_what_was_not_measured_is_a_dash(format_cell: object) -> None:
    assert callable(format_cell)
    assert format_cell(NOTHING) == NO_VALUE


def test_bars_say_what_was_cleared() -> None:
    missed = BarResult(bar="a: b ≥ 1", figure="b", value=0.5, passed=False)
    assert format_bars([missed], "Goals").splitlines()[0] == "## Goals"
    assert format_bars([missed]).endswith("| a: b ≥ 1 | b | 0.5 | **NO** |")
    assert format_bars([]) == ""


def test_a_table_has_a_rule_under_its_header() -> None:
    assert format_table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
