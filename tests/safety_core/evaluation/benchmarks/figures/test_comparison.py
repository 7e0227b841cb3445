import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.figures.comparison import RunRecords, compare_runs, is_higher_better
from safety_core.evaluation.benchmarks.run_files import ItemResult
from tests.helpers.benchmarks.run_folders import create_item, create_run_info, create_verdict, draw_results


def wrap(results: list[ItemResult], **changes: object) -> RunRecords:
    return RunRecords(run=create_run_info(items=len(results), **changes), results=results, judgements=[])  # type: ignore[arg-type]


def test_a_better_guard_wins_the_test_and_the_difference() -> None:
    comparison = compare_runs(wrap(draw_results(400, skill=3)), wrap(draw_results(400, skill=0.3)), resamples=100)
    figure = comparison.get("right_decision")
    assert figure is not None
    assert figure.test is not None
    assert figure.test.p_value < 0.001
    assert figure.test.only_first > figure.test.only_second
    assert (figure.difference.low or 0) > 0
    assert figure.higher_is_better


def test_items_in_one_run_only_are_named_and_left_out() -> None:
    results = draw_results(40)
    comparison = compare_runs(wrap(results[:-2]), wrap(results[1:]), resamples=20)
    assert (comparison.common, comparison.only_first, comparison.only_second) == (
        37,
        ("item-0",),
        ("item-38", "item-39"),
    )
    figure = comparison.get("detection")
    assert figure is not None
    assert figure.difference.value == 0


def test_figures_of_one_system_only_are_named() -> None:
    results = draw_results(30)
    bare = [create_item(place, type=one.type, level=one.level, reply="Yes") for place, one in enumerate(results)]
    comparison = compare_runs(wrap(results), wrap(bare), resamples=20)
    assert [one.name for one in comparison.figures] == ["answered"]
    assert "detection" in comparison.only_in_one


def test_items_that_either_was_trained_on_can_be_dropped() -> None:
    results = draw_results(20)
    seen = [results[0].model_copy(update={"trained_on": "id"}), *results[1:]]
    comparison = compare_runs(wrap(results), wrap(seen), trained="drop", resamples=20)
    assert (comparison.common, comparison.dropped, comparison.trained) == (19, 1, (0, 1))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (wrap(draw_results(5), digest="b" * 64), "different suites"),
        (wrap([create_verdict(0, risk=0.5, type="privacy", level=1)]), "different labels"),
        (wrap([create_verdict(99, risk=0.5)]), "no item in common"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(second: RunRecords, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compare_runs(wrap(draw_results(5)), second)


def test_directions_of_figures_are_known() -> None:
    assert is_higher_better("detection")
    assert is_higher_better("false_refusals") is False
    assert is_higher_better("rules · harm · attack_success") is False
    assert is_higher_better("refusal") is None
