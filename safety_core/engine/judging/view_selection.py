"""Collects the views of a batch's images, and selects the worse of two views of one image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safety_core.engine.judging.model_input import ModelInput
from safety_core.engine.messages import GuardRequest
from safety_core.errors import NoVerdictError
from safety_core.model.head_inputs import HeadInput, HeadScores
from safety_core.model.vision.tower import VisionFeatures
from safety_core.scores import PairScores

SeverityKey = Callable[[GuardRequest, PairScores], tuple[int, float]]
"""Sort key of scores by their severity under a request's policy."""


@dataclass(frozen=True, slots=True)
class DoubtfulView:
    """A judgement that is needed to select one of an image's two views."""

    request: int
    """Index of the request in the batch."""

    row: int
    """Row of the view in the features of the batch."""

    head_input: HeadInput
    """The input of the head."""


def collect_distinct_views(batch: Sequence[ModelInput]) -> tuple[list[NDArray[np.float32]], list[list[int]]]:
    """Collect every distinct view of a batch's pixels, and for each request the rows of its views."""
    rows: dict[tuple[str, int], int] = {}
    pixels: list[NDArray[np.float32]] = []
    rows_of: list[list[int]] = [[] for _ in batch]
    for index, request in enumerate(batch):
        if request.pixels_VCHW is None:
            continue
        keys = [(image.sha256, view) for image in request.request.images for view in range(len(image.views))]
        if len(request.pixels_VCHW) != len(keys):
            raise NoVerdictError(f"{len(request.pixels_VCHW)} of {len(keys)} views were preprocessed")
        for key, view_CHW in zip(keys, request.pixels_VCHW, strict=True):
            if key not in rows:
                rows[key] = len(pixels)
                pixels.append(view_CHW)
        rows_of[index] = [rows[key] for key in keys]
    return pixels, rows_of


def join_features(
    batch: Sequence[ModelInput],
    count: int,
    encoded: Sequence[VisionFeatures],
    rows_of: list[list[int]],
) -> VisionFeatures | None:
    """Join the tower's features with those that requests already contain.

    Args:
        batch: the requests.
        count: number of views that were to go through the tower.
        encoded: the tower's features.
        rows_of: for each request the rows of its views; completed here.

    Raises:
        NoVerdictError: the features of a view are missing.
    """
    encoded_count = sum(len(part) for part in encoded)
    if encoded_count != count:
        raise NoVerdictError(f"{encoded_count} of {count} views went through the vision tower")
    for index, request in enumerate(batch):
        if request.vision is not None:
            rows_of[index] = list(range(encoded_count, encoded_count + len(request.vision)))
            encoded_count += len(request.vision)
    parts = [*encoded, *(request.vision for request in batch if request.vision is not None)]
    return VisionFeatures.concatenate(parts) if parts else None


def list_doubtful_views(
    batch: Sequence[ModelInput], rows_of: Sequence[list[int]], *, images_alone: bool
) -> list[DoubtfulView]:
    """List the judgements that are needed to select one view of each image that has two.

    Args:
        batch: the requests.
        rows_of: for each request the rows of its views.
        images_alone: whether an image without the words decides, too.
    """
    alone = [None] if images_alone else []
    return [
        DoubtfulView(index, row, HeadInput((row,), prompt))
        for index, (request, rows) in enumerate(zip(batch, rows_of, strict=True))
        if len(rows) != len(request.views)
        for row in rows
        for prompt in dict.fromkeys([*(tuple(ids) or None for _, ids in request.text_variants), *alone])
    ]


def select_views(
    batch: Sequence[ModelInput],
    rows_of: Sequence[list[int]],
    doubtful: Sequence[DoubtfulView],
    known: Mapping[HeadInput, HeadScores],
    severity: SeverityKey,
) -> list[list[int]]:
    """Select the rows to keep for each request: if an image has two views, the view with the more severe scores."""
    worst: dict[tuple[int, int], tuple[int, float]] = {}
    for view in doubtful:
        pair = PairScores(joint=None, per_image=(known[view.head_input].scores,), image=None, text=None)
        view_severity = severity(batch[view.request].request, pair)
        worst[view.request, view.row] = max(view_severity, worst.get((view.request, view.row), (0, 0.0)))
    kept_of: list[list[int]] = []
    for index, (model_input, rows) in enumerate(zip(batch, rows_of, strict=True)):
        kept_rows, start = [], 0
        for count in model_input.views:
            of_image = [((index, row), row) for row in rows[start : start + count]]
            start += count
            kept_rows.append(max(of_image, key=lambda place: worst.get(place[0], (0, 0.0)))[1])
        kept_of.append(kept_rows)
    return kept_of
