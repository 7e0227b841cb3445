import json

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.figures.run_figures import RunFigures, compute_run_figures
from safety_core.evaluation.benchmarks.run_files import ItemResult
from tests.helpers.benchmarks.run_folders import create_run_info, draw_judgements, draw_results

pytest.importorskip("sklearn")


def compute(results: list[ItemResult], trained: str = "mark", judges: tuple[str, ...] = ()) -> RunFigures:
    lines = [line for seed, judge in enumerate(judges) for line in draw_judgements(results, judge=judge, seed=seed)]
    run = create_run_info(items=len(results) + 2)
    return compute_run_figures(run, results, lines, trained="drop" if trained == "drop" else "mark", resamples=40)


def mark(results: list[ItemResult], every: int) -> list[ItemResult]:
    return [
        one.model_copy(update={"trained_on": "near"}) if place % every == 0 else one
        for place, one in enumerate(results)
    ]


def test_items_that_were_not_asked_or_failed_are_counted() -> None:
    results = draw_results(50)
    results[3] = results[3].model_copy(update={"decision": None, "risk": None, "error": "timeout"})
    counts = compute(results).counts
    assert (counts.suite, counts.answered, counts.missing, counts.errors) == (52, 50, 2, {"timeout": 1})


def test_trained_items_are_marked_with_figures_without_them_or_dropped() -> None:
    results = mark(draw_results(60), every=3)
    marked, dropped = compute(results), compute(results, "drop")
    assert (marked.counts.used, marked.counts.trained_near, marked.counts.dropped) == (60, 20, 0)
    assert (dropped.counts.used, dropped.counts.trained_near, dropped.counts.dropped) == (40, 20, 20)
    assert marked.unseen is not None
    assert dropped.unseen is None
    assert marked.unseen["detection"].value == dropped.overall["detection"].value
    with pytest.raises(ConfigError):
        compute(mark(results, every=1), "drop")


def test_figures_are_equal_for_equal_seeds_and_are_json() -> None:
    results = draw_results(80)
    one, two = (json.dumps(compute(results, judges=("rules",)).to_dict(), allow_nan=False) for _ in range(2))
    assert one == two


def test_judges_are_reported_with_their_agreement() -> None:
    figures = compute(draw_results(200, skill=0.5), judges=("rules", "other", "rules-again"))
    assert (figures.judges[0].judge, sorted(figures.judges[0].by_type)) == ("rules", ["illegal", "privacy"])
    assert figures.agreements[0].judges == ("rules", "other")
    agreement = figures.agreements[0]
    assert agreement.share.value is not None
    assert agreement.kappa.value is not None
    assert agreement.kappa.low is not None
    assert agreement.kappa.high is not None
    assert agreement.kappa.low < agreement.kappa.value < agreement.kappa.high
    assert agreement.kappa.value < agreement.share.value


def test_categories_have_rates_of_their_own() -> None:
    figures = compute(draw_results(120))
    assert sum(one.items for one in figures.by_category) == 120
    assert [one.items for one in figures.by_category] == sorted(
        (one.items for one in figures.by_category), reverse=True
    )
    risky = next(one for one in figures.by_category if one.category.startswith("illegal"))
    assert "detection" in risky.figures
    assert "false_refusals" not in risky.figures
