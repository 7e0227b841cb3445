from dataclasses import replace

import pytest

from safety_core.scores import PairScores, RiskScores, Surfaces, create_assessment
from safety_core.taxonomy import DEFAULT_TAXONOMY

SCORES = RiskScores(types=(0.1, 0.5, 0.1, 0.1, 0.1, 0.05, 0.05), levels=(0.1, 0.2, 0.6, 0.1))
OTHER = replace(SCORES, levels=(0.7, 0.1, 0.1, 0.1))
NOTHING = PairScores(joint=None, per_image=(), image=None, text=None)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_not_finite(bad: float) -> None:
    assert SCORES.finite
    assert not replace(SCORES, types=(bad, *SCORES.types[1:])).finite
    assert not replace(SCORES, levels=(bad, *SCORES.levels[1:])).finite


def test_text_alone_is_judged_by_the_text_surface() -> None:
    assert replace(NOTHING, text=SCORES).deciding == (SCORES,)


def test_images_alone_are_judged_one_by_one_and_together() -> None:
    pair = replace(NOTHING, per_image=(SCORES, OTHER), image=OTHER)
    assert pair.deciding == (SCORES, OTHER, OTHER)


def test_words_beside_an_image_decide_by_themselves_only_where_they_are_asked_to() -> None:
    pair = PairScores(joint=OTHER, per_image=(OTHER,), image=OTHER, text=SCORES)
    assert SCORES not in pair.deciding
    deciding = replace(pair, text_decides=True)
    assert SCORES in deciding.deciding
    assert deciding.get_surface(SCORES) == "text"


def test_images_beside_words_decide_by_themselves_only_where_they_are_asked_to() -> None:
    pair = PairScores(joint=OTHER, per_image=(OTHER, OTHER), image=OTHER, text=OTHER)
    assert SCORES not in pair.deciding
    deciding = replace(pair, images_alone=(OTHER, SCORES))
    assert SCORES in deciding.deciding
    assert deciding.get_surface(SCORES) == "image"


def test_images_with_a_prompt_are_judged_with_it() -> None:
    pair = PairScores(joint=OTHER, per_image=(SCORES,), image=SCORES, text=SCORES)
    assert pair.deciding == (SCORES, OTHER)


def test_lettering_is_judged_beside_images() -> None:
    pair = PairScores(joint=OTHER, per_image=(SCORES,), image=SCORES, text=SCORES, lettering=(OTHER, SCORES))
    assert pair.deciding == (SCORES, OTHER, OTHER, SCORES)
    assert replace(pair, joint=None).deciding == (SCORES, SCORES, OTHER, SCORES)


def test_nothing_decides_nothing() -> None:
    assert NOTHING.deciding == ()


@pytest.mark.parametrize(
    ("type_", "level", "named"), [("privacy", 3, "privacy"), ("illegal", 1, "illegal"), ("illegal", 0, "safe")]
)
def test_an_assessment_names_what_was_decided_and_keeps_the_scores(type_: str, level: int, named: str) -> None:
    surfaces = Surfaces(image=0.1, text=None, joint=0.9)
    assessment = create_assessment(SCORES, DEFAULT_TAXONOMY, surfaces, type=type_, level=level, heatmap="data:,")
    assert assessment.type == named
    assert (assessment.level.index, assessment.level.name) == (level, DEFAULT_TAXONOMY.levels[level])
    assert assessment.type_scores["illegal"] == 0.5
    assert list(assessment.level_scores) == list(DEFAULT_TAXONOMY.levels)
    assert (assessment.surfaces, assessment.heatmap) == (surfaces, "data:,")
