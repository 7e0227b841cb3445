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
"""Sort key of scores: how severe they are under a request's policy."""


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
    """Every distinct view of a batch's pixels, and for each request the rows of its views."""
    rows: dict[tuple[str, int], int] = {}
    pixels: list[NDArray[np.float32]] = []
    rows_of: list[list[int]] = [[] for _ in batch]
    for index, one in enumerate(batch):
        if one.pixels_VCHW is None:
            continue
        keys = [(image.sha256, view) for image in one.request.images for view in range(len(image.views))]
        if len(one.pixels_VCHW) != len(keys):
            raise NoVerdictError(f"{len(one.pixels_VCHW)} of {len(keys)} views were preprocessed")
        for key, view_CHW in zip(keys, one.pixels_VCHW, strict=True):
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
    found = sum(len(part) for part in encoded)
    if found != count:
        raise NoVerdictError(f"{found} of {count} views went through the vision tower")
    for index, one in enumerate(batch):
        if one.vision is not None:
            rows_of[index] = list(range(found, found + len(one.vision)))
            found += len(one.vision)
    parts = [*encoded, *(one.vision for one in batch if one.vision is not None)]
    return VisionFeatures.concatenate(parts) if parts else None


def list_doubtful_views(batch: Sequence[ModelInput], rows_of: Sequence[list[int]]) -> list[DoubtfulView]:
    """List the judgements that are needed to select one of two views, for all images that have two."""
    return [
        DoubtfulView(index, row, HeadInput((row,), tuple(ids) or None))
        for index, (one, rows) in enumerate(zip(batch, rows_of, strict=True))
        if len(rows) != len(one.views)
        for row in rows
        for _, ids in one.text_variants
    ]


def select_views(
    batch: Sequence[ModelInput],
    rows_of: Sequence[list[int]],
    doubtful: Sequence[DoubtfulView],
    known: Mapping[HeadInput, HeadScores],
    severity: SeverityKey,
) -> list[list[int]]:
    """For each request the rows to keep: of an image's two views the one with the more severe scores."""
    worst: dict[tuple[int, int], tuple[int, float]] = {}
    for one in doubtful:
        alone = PairScores(joint=None, per_image=(known[one.head_input].scores,), image=None, text=None)
        found = severity(batch[one.request].request, alone)
        worst[one.request, one.row] = max(found, worst.get((one.request, one.row), (0, 0.0)))
    kept_of: list[list[int]] = []
    for index, (model_input, rows) in enumerate(zip(batch, rows_of, strict=True)):
        kept, start = [], 0
        for count in model_input.views:
            of_image = [((index, row), row) for row in rows[start : start + count]]
            start += count
            kept.append(max(of_image, key=lambda place: worst.get(place[0], (0, 0.0)))[1])
        kept_of.append(kept)
    return kept_of
