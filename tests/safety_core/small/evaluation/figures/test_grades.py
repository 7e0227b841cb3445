from pathlib import Path

import numpy as np

from safety_core.policy.policy import NO_VERDICT, Decision
from safety_core.small.evaluation.figures.grades import (
    grade_flagged,
    grade_refused,
    grade_right,
    grade_unjudged,
    list_seconds,
    mask_columns,
)
from safety_core.small.evaluation.systems.system import NOT_ASKED, Score
from tests.helpers.datasets.real_items import SAFE, make_item, make_score

NAN = float("nan")
SCORES = [
    make_score(Decision.ALLOWED),
    make_score(Decision.CAUTIONED),
    make_score(Decision.REFUSED, problem=NO_VERDICT),
    Score(problem=NOT_ASKED),
]


def test_cautioned_and_refused_items_are_flagged_and_nothing_is_guessed_without_a_decision() -> None:
    np.testing.assert_equal(grade_flagged(SCORES), [0, 1, 1, NAN])
    np.testing.assert_equal(grade_refused(SCORES), [0, 0, 1, NAN])
    np.testing.assert_equal(grade_unjudged(SCORES), [0, 0, 1, NAN])


def test_right_is_to_flag_what_is_risky_and_nothing_else() -> None:
    items = [make_item("a"), make_item("b"), make_item("c", label=SAFE), make_item("d")]
    np.testing.assert_equal(grade_right(items, SCORES), [0, 1, 0, NAN])


def test_only_the_first_verdict_on_a_picture_tells_its_time() -> None:
    picture = Path("a.jpg")
    items = [make_item("a", picture=picture), make_item("b", picture=picture), make_item("c"), make_item("d")]
    scores = [make_score(seconds=number) for number in (1.0, 2.0, 3.0, 4.0)]
    np.testing.assert_equal(list_seconds(items, scores), [1, NAN, 3, 4])


def test_items_of_any_of_the_columns_are_marked() -> None:
    items = [make_item("a", "hate"), make_item("b", "contrast"), make_item("c", "weapons")]
    assert mask_columns(items, ("hate", "weapons")).tolist() == [True, False, True]
