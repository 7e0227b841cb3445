import math

import pytest

from safety_core.evaluation.calibration.surface_offsets import find_offsets
from safety_core.scores import PairScores, RiskScores, ScoreOffsets

SAFE = 6


def rate(log_odds: float) -> RiskScores:
    risk = 1 / (1 + math.exp(-log_odds))
    return RiskScores(types=(risk, 0.0, 0.0, 0.0, 0.0, 0.0, 1 - risk), levels=(1 - risk, risk / 2, risk / 2, 0.0))


def pair(words: float, image: float, joint: float) -> PairScores:
    return PairScores(
        joint=rate(joint), per_image=(rate(joint),), image=rate(image), text=rate(words), images_alone=(rate(image),)
    )


def test_a_view_with_lower_harmless_scores_is_raised_to_those_of_words() -> None:
    harmless = [pair(index / 100, index / 100 - 3, index / 100 + 1) for index in range(100)]
    offsets = find_offsets(harmless, 0.05)
    assert offsets.image == pytest.approx(3, abs=0.01)
    assert offsets.joint == pytest.approx(-1, abs=0.01)
    # One threshold is now exceeded by as many images as words.
    shifted = [one.shift(offsets, SAFE) for one in harmless]
    worst = [sum(one.levels[1:]) for entry in shifted for one in entry.images_alone]
    words = [sum(one.text.levels[1:]) for one in shifted if one.text is not None]
    assert sum(risk > 0.72 for risk in worst) == sum(risk > 0.72 for risk in words) > 0


def test_images_without_words_count_for_the_offset_of_images() -> None:
    words = [PairScores(joint=None, per_image=(), image=None, text=rate(index / 100)) for index in range(100)]
    images = [
        PairScores(joint=None, per_image=(rate(index / 100 - 2),), image=rate(index / 100 - 2), text=None)
        for index in range(100)
    ]
    offsets = find_offsets([*words, *images], 0.02)
    assert offsets.image == pytest.approx(2, abs=0.01)
    assert offsets.joint == 0


def test_too_few_samples_determine_nothing() -> None:
    assert find_offsets([pair(0, -3, 2)] * 49, 0.1) == ScoreOffsets()
    images = [PairScores(joint=None, per_image=(rate(-3),), image=rate(-3), text=None)] * 99
    assert find_offsets(images, 0.1) == ScoreOffsets()


def test_offsets_are_bounded_and_unusable_scores_are_left_out() -> None:
    broken = PairScores(joint=None, per_image=(), image=rate(float("nan")), text=rate(2))
    offsets = find_offsets([*[pair(9, -9, 9)] * 60, *[broken] * 60], 0.0)
    assert offsets == ScoreOffsets(image=8.0, joint=0.0)
