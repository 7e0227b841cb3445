"""Finds the score offsets of a checkpoint: scores of images that are as high as those of words at equal false alarms.

The head scores images alone, images with words, and words alone. It learned each from other samples, with another share
of risk, so the same probability means other things: a threshold that few harmless words reach may be one that no image
reaches, weapons included. The offset of a view moves the quantile of its harmless scores to that of harmless words; one
threshold then causes as many false alarms on each.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import chain

from safety_core.scores import PairScores, RiskScores, ScoreOffsets

_FEWEST = 50
"""Harmless samples of a view that are needed to determine its offset; with fewer it is 0."""

_LARGEST = 8.0
"""Largest offset, in log-odds."""

_LEAST = 1e-7
"""Smaller probabilities count as this."""


def find_offsets(harmless: Sequence[Sequence[PairScores]], share: float) -> ScoreOffsets:
    """Find the offsets for which a share of the harmless samples of each view exceeds the same score.

    Args:
        harmless: scores of all text variants of each harmless sample, without offsets. Of several images and variants,
            the worst counts. Words are those of samples without images.
        share: share of the samples that exceed the score, from 0 to 1.
    """
    words = _find_quantile((_collect(map(_find_words, pairs)) for pairs in harmless), share)
    image = _find_quantile((_collect(chain.from_iterable(map(_list_images_alone, pairs))) for pairs in harmless), share)
    joint = _find_quantile((_collect(chain.from_iterable(map(_list_joint, pairs))) for pairs in harmless), share)
    if words is None:
        return ScoreOffsets()
    return ScoreOffsets(image=_limit(words, image), joint=_limit(words, joint))


def _find_words(pair: PairScores) -> RiskScores | None:
    return None if pair.per_image else pair.text


def _list_images_alone(pair: PairScores) -> Sequence[RiskScores | None]:
    return [*pair.images_alone, pair.image]


def _list_joint(pair: PairScores) -> Sequence[RiskScores | None]:
    return [pair.joint, *(pair.per_image if pair.text is not None else ())]


def _collect(scores: Iterable[RiskScores | None]) -> float | None:
    """Return the worst log-odds of any risk; None without a finite score."""
    return max((_compute_log_odds(one) for one in scores if one is not None and one.finite), default=None)


def _compute_log_odds(scores: RiskScores) -> float:
    safe, *risky = scores.levels
    return math.log(max(sum(risky), _LEAST) / max(safe, _LEAST))


def _find_quantile(values: Iterable[float | None], share: float) -> float | None:
    """Find the score that a share of the values exceeds; None if there are too few."""
    known = sorted(value for value in values if value is not None)
    if len(known) < _FEWEST:
        return None
    return known[min(len(known) - 1, math.floor((1 - share) * len(known)))]


def _limit(words: float, view: float | None) -> float:
    return 0.0 if view is None else round(min(max(words - view, -_LARGEST), _LARGEST), 3)
