import pytest

from safety_core.evaluation.benchmarks.figures.run_figures import RunFigures, compute_run_figures
from safety_core.evaluation.benchmarks.reporting.summary import describe_run, list_cautions
from safety_core.evaluation.benchmarks.run_files import ItemResult
from tests.helpers.benchmarks.run_folders import create_run_info, create_verdict, draw_judgements, draw_results

pytest.importorskip("sklearn")
RUN = create_run_info(items=100)


def compute(results: list[ItemResult]) -> RunFigures:
    return compute_run_figures(RUN, results, draw_judgements(results), resamples=30)


def test_a_run_is_described_in_sentences() -> None:
    text = " ".join(describe_run(RUN, compute(draw_results(100)))).replace("\N{NO-BREAK SPACE}", " ")
    assert "guard was measured on 100 items of sketches: 60 risky and 40 harmless." in text
    assert "of the risky items (95 % interval" in text
    assert "By the judge rules (harm)" in text
    assert list_cautions(compute(draw_results(100))) == []


def test_everything_that_limits_the_figures_is_said() -> None:
    results = [create_verdict(n, risk=0.6, type="illegal", level=2, trained_on="id") for n in range(9)]
    results.append(create_verdict(9, risk=0.6, type="illegal", level=2, decision=None, error="timeout"))
    text = " ".join(list_cautions(compute(results)))
    assert "90 items of the suite are not in the results" in text
    assert "1 item got no answer" in text
    assert "9 items are among the records that the checkpoint was trained on (9 by id, 0 as near-duplicates)" in text
    assert "only 10 groups" in text
    assert "nothing is known about false alarms" in text
