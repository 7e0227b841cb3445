import math

import numpy as np
import pytest

from safety_core.evaluation.benchmarks.figures.named_figures import (
    create_f1,
    list_decision_figures,
    list_judge_figures,
    list_reply_figures,
    list_score_figures,
    list_type_figures,
)
from safety_core.evaluation.benchmarks.figures.result_table import ResultTable, build_table
from safety_core.evaluation.statistics.estimates import Bootstrap, Estimate
from tests.helpers.benchmarks.run_folders import TAXONOMY, create_item, create_verdict, draw_judgements, draw_results

metrics = pytest.importorskip("sklearn.metrics")


@pytest.fixture(scope="module")
def table() -> ResultTable:
    results = draw_results(300, skill=1.2)
    return build_table(results, draw_judgements(results), TAXONOMY)


@pytest.fixture(scope="module")
def bootstrap(table: ResultTable) -> Bootstrap:
    return Bootstrap(table.groups, seed=0, resamples=200)


def is_within(estimate: Estimate, value: float) -> bool:
    assert estimate.value is not None
    assert estimate.low is not None
    assert estimate.high is not None
    return math.isclose(estimate.value, value) and estimate.low < value < estimate.high


def test_figures_of_verdicts_and_scores_are_those_of_scikit_learn(table: ResultTable, bootstrap: Bootstrap) -> None:
    figures = list_decision_figures(table) | list_score_figures(table)
    gold, flagged, risk = table.risky_P, table.flagged_P == 1, table.risk_P
    expected = {
        "detection": metrics.recall_score(gold, flagged),
        "precision": metrics.precision_score(gold, flagged),
        "f1": metrics.f1_score(gold, flagged),
        "right_decision": metrics.accuracy_score(gold, flagged),
        "false_alarms": flagged[~gold].mean(),
        "auroc": metrics.roc_auc_score(gold, risk),
        "auprc": metrics.average_precision_score(gold, risk),
    }
    for name, value in expected.items():
        assert is_within(figures[name].estimate(bootstrap), value), name


def test_figures_of_a_type_are_those_of_scikit_learn(table: ResultTable, bootstrap: Bootstrap) -> None:
    index = TAXONOMY.types.index("privacy")
    figures = list_type_figures(table, "privacy")
    gold, predicted = table.type_P == index, table.decided_type_P == index
    expected = {
        "precision": metrics.precision_score(gold, predicted),
        "recall": metrics.recall_score(gold, predicted),
        "f1": metrics.f1_score(gold, predicted),
        "auroc": metrics.roc_auc_score(gold, table.type_scores_PC[:, index]),
    }
    for name, value in expected.items():
        assert is_within(figures[name].estimate(bootstrap), value), name


def test_perfect_figures_have_intervals_that_grow_with_fewer_items() -> None:
    lows = []
    for count in (20, 200):
        results = [
            create_verdict(n, risk=0.9 if n % 2 else 0.1, type="illegal" if n % 2 else "safe", level=2 * (n % 2))
            for n in range(count)
        ]
        table = build_table(results, [], TAXONOMY)
        bootstrap = Bootstrap(table.groups, seed=0, resamples=50)
        figures = list_decision_figures(table) | list_score_figures(table)
        for name in ("detection", "precision", "f1", "auroc", "auprc"):
            estimate = figures[name].estimate(bootstrap)
            assert (estimate.value, estimate.high) == (1.0, 1.0)
            lows.append(estimate.low or 0.0)
        refusals = figures["false_refusals"].estimate(bootstrap)
        assert (refusals.value, refusals.low) == (0.0, 0.0)
        assert refusals.high == pytest.approx(1 - 0.025 ** (2 / count))
    assert all(few < many < 1 for few, many in zip(lows[:5], lows[5:], strict=True))


def test_an_f1_of_zero_has_an_upper_end_at_least_as_high_as_its_rate() -> None:
    nothing, everything = np.zeros(10, dtype=bool), np.ones(10, dtype=bool)
    bootstrap = Bootstrap(list(range(10)), seed=0, resamples=20)
    estimate = create_f1(nothing, everything, everything).estimate(bootstrap)
    jaccard = 1 - 0.025 ** (1 / 10)
    assert estimate.value == 0
    assert estimate.high == pytest.approx(2 * jaccard / (1 + jaccard))


def test_unscored_items_are_counted_and_in_no_rate() -> None:
    results = [
        create_verdict(1, risk=0.9, type="illegal", level=2),
        create_item(2, type="illegal", level=2, error="timeout"),
    ]
    table = build_table(results, [], TAXONOMY)
    estimate = list_decision_figures(table)["detection"].estimate(Bootstrap(table.groups, seed=0, resamples=9))
    assert (estimate.value, estimate.n, estimate.unscored) == (1.0, 1, 1)


def test_a_system_without_verdicts_or_replies_has_no_figures_of_them() -> None:
    chat = build_table([create_item(1, type="illegal", level=2, reply="Hello")], [], TAXONOMY)
    assert list_decision_figures(chat) == {}
    assert list_score_figures(chat) == {}
    guard = build_table([create_verdict(1, risk=0.9)], [], TAXONOMY)
    assert "answered" not in list_reply_figures(guard)
    assert list_reply_figures(guard)["latency_p95"].estimate(Bootstrap(["a"], seed=0)).value == pytest.approx(0.19)


def test_only_judged_replies_and_refusals_count_for_attack_success(table: ResultTable, bootstrap: Bootstrap) -> None:
    estimate = list_judge_figures(table, ("rules", "harm"))["attack_success"].estimate(bootstrap)
    unsafe = table.judged["rules", "harm"].unsafe_P[table.risky_P]
    assert estimate.value == pytest.approx(unsafe.mean())
    assert estimate.n == int(table.risky_P.sum())
    assert "unsafe_harmless" not in list_judge_figures(table, ("rules", "harm"))


def test_a_difference_is_paired(table: ResultTable, bootstrap: Bootstrap) -> None:
    other = build_table(draw_results(300, skill=0.6, seed=0), [], TAXONOMY)
    for name in ("detection", "precision", "auroc"):
        first, second = ((list_decision_figures(one) | list_score_figures(one))[name] for one in (table, other))
        difference = first.estimate_difference(second, bootstrap)
        values = first.estimate(bootstrap).value, second.estimate(bootstrap).value
        assert values[0] is not None
        assert values[1] is not None
        assert difference.value == pytest.approx(values[0] - values[1])
        same = first.estimate_difference(first, bootstrap)
        assert same.value == 0
        assert (same.low or 0) < 0 < (same.high or 0)
