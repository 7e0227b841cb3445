from safety_core.evaluation.benchmarks.reporting.figure_texts import (
    format_estimate,
    format_interval,
    format_number,
    format_value,
    get_text,
)
from safety_core.evaluation.statistics.estimates import Estimate

SHARE = Estimate(value=0.125, low=0.1, high=0.25, n=40)


def test_shares_scores_and_seconds_have_their_units() -> None:
    assert format_estimate(SHARE, "percent") == "12.5\N{NO-BREAK SPACE}% (10.0 to 25.0)"
    assert format_value(SHARE, "number") == "0.125"
    assert format_interval(SHARE, "seconds") == "0.1 to 0.25"
    assert format_value(Estimate(value=-0.5, low=-1, high=0, n=1), "number", signed=True) == "−0.500"


def test_what_could_not_be_measured_is_a_dash() -> None:
    missing = Estimate(value=None, low=None, high=None, n=0)
    assert (
        format_value(None, "percent")
        == format_interval(missing, "percent")
        == format_estimate(missing, "number")
        == "–"
    )


def test_unknown_figures_are_called_by_their_names() -> None:
    assert get_text("some_figure").title == "some figure"
    assert format_number(12345) == "12\N{NARROW NO-BREAK SPACE}345"
