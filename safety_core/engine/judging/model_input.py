"""Requests as input for the model, before and after scoring, and the work that judging them takes.

Shapes: V views of all of a request's images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safety_core.engine.judging.variant_decision import Turns
from safety_core.engine.work import PreparedRequest, Work
from safety_core.lettering.reading import Problem
from safety_core.lettering.request_texts import LetteringSource
from safety_core.model.head_inputs import estimate_row_cost
from safety_core.model.vision.tower import VisionFeatures
from safety_core.scores import PairScores


@dataclass(frozen=True, slots=True, kw_only=True)
class LetteringInput:
    """One text of the lettering in a request's images, as input for the head."""

    ids: tuple[int, ...]
    """Token ids."""

    source: LetteringSource
    """Origin of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput(PreparedRequest):
    """A request as input for the model."""

    text_variants: tuple[tuple[Turns, list[int]], ...] = ()
    """Variants of the text, with the token ids that the head reads; empty if preparing failed, so that there is no
    verdict."""

    joins_questions: bool = False
    """Whether the first variant joins several whole questions, each of which is also a separate variant."""

    lettering: tuple[LetteringInput, ...] = ()
    """Texts of the lettering in the images, which the head judges without any image."""

    exceeded: frozenset[Problem] = frozenset()
    """The bounds that the lettering in the images exceeds; if there are any, there is no verdict."""

    views: tuple[int, ...] = ()
    """Number of views of each image: one, or two if transparency makes two images possible."""

    pixels_VCHW: NDArray[np.float32] | None = None
    """All views of all images, in order; None if there are none."""

    vision: VisionFeatures | None = None
    """Features of the views instead of pixels, if they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredInput:
    """A request with all scores of the head."""

    model_input: ModelInput
    """The request."""

    vision: VisionFeatures | None
    """Features of the selected views, one for each image."""

    pairs: tuple[PairScores, ...]
    """Scores of each text variant; only the first contains those of lettering, which are the same for all."""


def measure_work(
    ids: Sequence[Sequence[int]],
    views: Sequence[int],
    lettering: Sequence[LetteringInput] = (),
    *,
    reading_cost: Callable[[int], int] = lambda tokens: 0,
    images_alone: bool = False,
) -> Work:
    """Measure the work of judging a request.

    Args:
        ids: the head's token ids for each variant of the text.
        views: number of views of each image.
        lettering: the texts of the lettering in the images.
        reading_cost: cost of reading a text of so many tokens for the head, see :meth:`PromptReader.estimate_cost`.
        images_alone: whether each image is also judged without the prompt.
    """
    rows, images = sum(views), len(views)
    lengths = [len(variant) for variant in ids if variant]
    tokens = sum(rows * estimate_row_cost(length, 1) for length in lengths or [0])
    alone = [*lengths, *(len(text.ids) for text in lettering)]
    tokens += sum(estimate_row_cost(length, 0) + reading_cost(length) for length in alone)
    if images > 1:
        tokens += sum(estimate_row_cost(length, images) for length in lengths)
    if images > 1 or (images and lengths):
        tokens += estimate_row_cost(0, images)
    if images_alone and lengths and rows > 1:  # the only view of a single image is all images
        tokens += rows * estimate_row_cost(0, 1)
    return Work(requests=1, views=rows, tokens=tokens)
