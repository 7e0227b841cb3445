"""Views of a batch: each distinct one once, and of a picture's two views the worse one is kept."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from safety_core.engine.guard import Guard
from safety_core.engine.judging.model_input import ModelInput
from safety_core.engine.judging.view_selection import (
    collect_distinct_views,
    join_features,
    list_doubtful_views,
    select_views,
)
from safety_core.engine.messages import GuardRequest
from safety_core.errors import NoVerdictError
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.model.head_inputs import HeadInput, HeadScores
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.policy import Policy, decide_worst
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from tests.helpers.engine.requests import create_guard_request
from tests.helpers.images.pictures import create_picture, create_transparent_picture

RED, CLEAR = create_picture("red"), create_transparent_picture("blue")


def severity(request: GuardRequest, pair: PairScores) -> tuple[int, float]:
    return decide_worst(Policy.create_default(T), T, pair)[0].severity_key


def head_scores(unsafe: float) -> HeadScores:
    """Scores whose probability of the worst level is given."""
    types = (0.9, *[0.1 / (len(T.types) - 1)] * (len(T.types) - 1))
    return HeadScores(RiskScores(types=types, levels=(1 - unsafe, 0.0, 0.0, unsafe)), ())


def input_of(*views: int, ids: Sequence[list[int]] = ([],)) -> ModelInput:
    """A request of pictures with so many views each, and of variants with these tokens."""
    return ModelInput(request=GuardRequest(), views=views, text_variants=tuple(((), one) for one in ids))


def features(count: int) -> VisionFeatures:
    return VisionFeatures((), torch.arange(count, dtype=torch.float32).reshape(count, 1, 1))


def prepare(guard: Guard, *images: DecodedImage) -> ModelInput:
    return guard.prepare(create_guard_request(*images))


def test_a_view_that_several_requests_show_is_collected_once(guard: Guard) -> None:
    batch = [prepare(guard, RED, CLEAR), prepare(guard), prepare(guard, CLEAR, RED, RED)]
    pixels, rows_of = collect_distinct_views(batch)
    assert len(pixels) == 3
    assert rows_of == [[0, 1, 2], [], [1, 2, 0, 0]]
    assert batch[0].pixels_VCHW is not None
    assert all(np.array_equal(one, other) for one, other in zip(pixels, batch[0].pixels_VCHW, strict=True))


def test_a_view_that_was_not_preprocessed_is_missed(guard: Guard) -> None:
    whole = prepare(guard, RED, CLEAR)
    assert whole.pixels_VCHW is not None
    lost = ModelInput(
        request=whole.request, views=whole.views, text_variants=whole.text_variants, pixels_VCHW=whole.pixels_VCHW[:2]
    )
    with pytest.raises(NoVerdictError, match="2 of 3 views"):
        collect_distinct_views([lost])


def test_features_that_requests_bring_follow_those_of_the_tower() -> None:
    known = ModelInput(request=GuardRequest(), views=(1, 1), vision=features(2))
    rows_of: list[list[int]] = [[0, 1], []]
    joined = join_features([input_of(1, 1), known], 2, [features(1), features(1)], rows_of)
    assert joined is not None
    assert len(joined) == 4
    assert rows_of == [[0, 1], [2, 3]]
    assert join_features([input_of()], 0, [], [[]]) is None
    with pytest.raises(NoVerdictError, match="1 of 2 views"):
        join_features([input_of(1, 1)], 2, [features(1)], [[0, 1]])


def test_only_pictures_with_two_views_are_in_doubt_with_every_text() -> None:
    batch = [input_of(1, 1, ids=[[5], [6]]), input_of(2, ids=[[5], []])]
    doubtful = list_doubtful_views(batch, [[0, 1], [2, 3]], images_alone=False)
    assert [(one.request, one.row) for one in doubtful] == [(1, 2), (1, 2), (1, 3), (1, 3)]
    assert [one.head_input for one in doubtful] == [HeadInput((row,), ids) for row in (2, 3) for ids in ((5,), None)]


@pytest.mark.parametrize(
    ("unsafe", "kept"),
    [
        ((0.1, 0.9), 2),
        ((0.9, 0.1), 1),
        ((0.2, 0.1), 1),  # both would be allowed: the probability decides
        ((0.5, 0.5), 1),
    ],
)
def test_of_two_views_the_worse_one_is_kept_and_other_pictures_keep_theirs(
    unsafe: tuple[float, float], kept: int
) -> None:
    batch, rows_of = [input_of(1, 2, 1)], [[0, 1, 2, 3]]
    known = {HeadInput((row,), None): head_scores(score) for row, score in zip((1, 2), unsafe, strict=True)}
    known |= {HeadInput((row,), None): head_scores(0.0) for row in (0, 3)}
    doubtful = list_doubtful_views(batch, rows_of, images_alone=False)
    assert select_views(batch, rows_of, doubtful, known, severity) == [[0, kept, 3]]


def test_a_view_is_as_bad_as_with_the_worst_of_the_texts() -> None:
    batch, rows_of = [input_of(2, ids=[[5], [6]])], [[0, 1]]
    scores = {(0, 5): 0.6, (0, 6): 0.6, (1, 5): 0.0, (1, 6): 0.9}
    known = {HeadInput((row,), (token,)): head_scores(score) for (row, token), score in scores.items()}
    assert select_views(batch, rows_of, list_doubtful_views(batch, rows_of, images_alone=False), known, severity) == [
        [1]
    ]


def test_where_images_decide_alone_words_cannot_select_the_harmless_view() -> None:
    """One view is a weapon, which harmless words make look harmless; the other becomes a little worse by them."""
    batch, rows_of = [input_of(2, ids=[[5]])], [[0, 1]]
    scores = {(0, (5,)): 0.0, (1, (5,)): 0.2, (0, None): 0.9, (1, None): 0.1}
    known = {HeadInput((row,), prompt): head_scores(score) for (row, prompt), score in scores.items()}
    for images_alone, kept in ((False, 1), (True, 0)):
        doubtful = list_doubtful_views(batch, rows_of, images_alone=images_alone)
        assert select_views(batch, rows_of, doubtful, known, severity) == [[kept]]
