import pytest

from safety_core.evaluation.runs.cells import NO_VALUE
from safety_core.evaluation.runs.report import Report
from safety_core.evaluation.runs.tables import format_report
from safety_core.evaluation.statistics.bars import Comparison
from safety_core.evaluation.statistics.estimates import Estimate
from safety_core.evaluation.statistics.mcnemar import McNemar
from safety_core.taxonomy import DEFAULT_TAXONOMY


@pytest.mark.parametrize(
    ("n", "p_value", "shown"),
    [(0, 1.0, NO_VALUE), (20, 1.0, "1"), (20, 0.0312, "0.031"), (3000, 2.4e-241, "2.4e-241"), (9000, 0.0, "<2e-308")],
)
def test_a_test_shows_its_p_unless_it_was_not_made(n: int, p_value: float, shown: str) -> None:
    unknown = Estimate(value=None, low=None, high=None, n=0)
    report = Report(
        suite="toy",
        suite_sha256="0" * 64,
        pairs=n,
        taxonomy=DEFAULT_TAXONOMY,
        seed=0,
        resamples=10,
        command=("safevlm", "evaluate"),
        rows={},
        comparisons={
            ("shipped", "bare"): Comparison(
                differences={"handled": unknown},
                mcnemar={"handled": McNemar(only_first=n, only_second=0, n=n, p_value=p_value)},
            )
        },
        bars=(),
    )
    assert f"| shipped − bare | {NO_VALUE} | {shown} |" in format_report(report)
