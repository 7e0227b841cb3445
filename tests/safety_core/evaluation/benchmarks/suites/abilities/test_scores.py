import pytest

from safety_core.evaluation.benchmarks.run_files import GivenAnswer
from safety_core.evaluation.benchmarks.suites.abilities.scores import compute_ability_scores
from tests.helpers.benchmarks.results import make_answer, make_result


def test_mme_adds_accuracy_and_pairs_in_points() -> None:
    rows = [
        make_answer("1a", right=True, group="1", category="count"),
        make_answer("1b", right=True, group="1", category="count"),
        make_answer("2a", right=True, group="2", category="count"),
        make_answer("2b", right=False, group="2", category="count"),
        make_answer("3a", right=False, group="3", category="code_reasoning"),
        make_answer("3b", right=True, group="3", category="code_reasoning"),
    ]
    scores = compute_ability_scores("mme", rows)
    assert scores["accuracy/count"].value == 0.75
    assert scores["accuracy_plus/count"].value == 0.5
    assert scores["score/count"].value == scores["score/perception"].value == 125
    assert scores["score/cognition"].value == 50
    assert scores["accuracy_plus"].value == pytest.approx(1 / 3)


def test_pope_counts_yes_as_positive_and_a_missing_answer_as_wrong() -> None:
    rows = [
        make_answer("1", right=True, category="random"),
        make_answer("2", right=False, category="random"),
        make_answer("3", right=True, expected="no", category="popular"),
        make_answer("4", right=False, expected="no", category="popular"),
        make_result("5", category="popular", answer=GivenAnswer(expected="yes", given=None, right=False)),
    ]
    scores = compute_ability_scores("pope", rows)
    assert scores["accuracy"].value == 0.4
    assert scores["precision"].value == 0.5
    assert scores["recall"].value == pytest.approx(1 / 3)
    assert scores["f1"].value == 0.4
    assert scores["yes_ratio"].value == 0.4
    assert scores["accuracy/random"].value == 0.5
    assert scores["yes_ratio/popular"].scored == 3


def test_mmbench_needs_every_round_for_circular_and_the_first_for_vanilla() -> None:
    rows = [
        make_answer("7-0", right=True, group="7", expected="A"),
        make_answer("7-1", right=False, group="7", expected="B"),
        make_answer("8-0", right=True, group="8", expected="A"),
        make_answer("8-1", right=True, group="8", expected="B"),
    ]
    scores = compute_ability_scores("mmbench", rows)
    assert (scores["circular"].value, scores["vanilla"].value) == (0.5, 1.0)
    assert scores["circular/c"].scored == 2


def test_seed_is_scored_by_task() -> None:
    rows = [make_answer("1", right=True, category="x"), make_answer("2", right=False, category="y")]
    scores = compute_ability_scores("seed", rows)
    assert [scores[name].value for name in ("accuracy", "accuracy/x", "accuracy/y")] == [0.5, 1.0, 0.0]


def test_items_that_could_not_be_asked_are_unscored_and_so_is_their_pair() -> None:
    rows = [
        make_answer("1a", right=True, group="1", category="OCR"),
        make_answer("1b", right=None, group="1", category="OCR"),
    ]
    scores = compute_ability_scores("mme", rows)
    assert (scores["accuracy"].value, scores["accuracy"].unscored) == (1.0, 1)
    assert (scores["accuracy_plus"].value, scores["accuracy_plus"].unscored) == (None, 1)
    assert scores["score/perception"].value is None
