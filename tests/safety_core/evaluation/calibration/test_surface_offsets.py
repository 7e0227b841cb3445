import math

import pytest

from safety_core.evaluation.calibration.surface_offsets import find_offsets
from safety_core.scores import PairScores, RiskScores, ScoreOffsets

SAFE = 6


def rate(log_odds: float) -> RiskScores:
    risk = 1 / (1 + math.exp(-log_odds))
    return RiskScores(types=(risk, 0.0, 0.0, 0.0, 0.0, 0.0, 1 - risk), levels=(1 - risk, risk / 2, risk / 2, 0.0))


def words(log_odds: float) -> PairScores:
    return PairScores(joint=None, per_image=(), image=None, text=rate(log_odds))


def picture(log_odds: float) -> PairScores:
    return PairScores(joint=None, per_image=(rate(log_odds),), image=rate(log_odds), text=None)


def pair(image: float, joint: float, text: float = 50.0) -> PairScores:
    """A picture with a prompt, whose own score determines nothing."""
    return PairScores(
        joint=rate(joint), per_image=(rate(joint),), image=rate(image), text=rate(text), images_alone=(rate(image),)
    )


def test_a_view_with_lower_harmless_scores_is_raised_to_those_of_words() -> None:
    texts = [words(index / 100) for index in range(100)]
    pictures = [pair(index / 100 - 3, index / 100 + 1) for index in range(100)]
    offsets = find_offsets([[one] for one in [*texts, *pictures]], 0.05)
    assert offsets.image == pytest.approx(3, abs=0.01)
    assert offsets.joint == pytest.approx(-1, abs=0.01)
    # One threshold is now exceeded by as many images as words.
    worst = [sum(one.levels[1:]) for entry in pictures for one in entry.shift(offsets, SAFE).images_alone]
    texts_risk = [sum(one.text.levels[1:]) for one in texts if one.text is not None]
    assert sum(risk > 0.72 for risk in worst) == sum(risk > 0.72 for risk in texts_risk) > 0


def test_images_without_words_count_for_the_offset_of_images() -> None:
    samples = [[words(index / 100)] for index in range(100)] + [[picture(index / 100 - 2)] for index in range(100)]
    offsets = find_offsets(samples, 0.02)
    assert offsets.image == pytest.approx(2, abs=0.01)
    assert offsets.joint == 0


def test_of_the_variants_of_a_sample_only_the_worst_counts() -> None:
    texts = [[words(index / 100), words(-9), words(-9)] for index in range(100)]
    pictures = [[pair(-9, -9), pair(-9, index / 100 - 1)] for index in range(100)]
    assert find_offsets([*texts, *pictures], 0.05).joint == pytest.approx(1, abs=0.01)


def test_too_few_samples_determine_nothing() -> None:
    assert find_offsets([*[[words(0)]] * 99, *[[pair(-3, 2)]] * 49], 0.1) == ScoreOffsets()
    assert find_offsets([*[[words(0)]] * 49, *[[picture(-3)]] * 99], 0.1) == ScoreOffsets()


def test_offsets_are_bounded_and_unusable_scores_are_left_out() -> None:
    broken = picture(float("nan"))
    offsets = find_offsets([*[[words(9)]] * 60, *[[pair(-9, 9)]] * 60, *[[broken]] * 60], 0.0)
    assert offsets == ScoreOffsets(image=8.0, joint=0.0)
