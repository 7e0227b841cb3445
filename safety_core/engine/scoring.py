"""The model's share of a judgement: requests in batches through vision tower, safety projector and head.

A view that several requests of a batch show goes through the tower once. Of a picture with two views (transparency)
the one that scores worse stays. No policy but that one question is asked of here; nothing is refused or answered.
Shapes: V views of all of a request's pictures · M safety features · D LLM width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safety_core.engine.messages import GuardRequest, Prepared
from safety_core.engine.readings import Turns
from safety_core.errors import NoVerdictError
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.scoring import View, ViewScores
from safety_core.model.vision import VisionFeatures
from safety_core.types import PairScores

Gravity = Callable[[GuardRequest, PairScores], tuple[int, float]]
"""How bad a policy finds scores; sorts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyRequest(Prepared):
    """A request as the model takes it."""

    readings: tuple[tuple[Turns, list[int]], ...] = ()
    """Readings of the text, with the ids that the head reads; none where preparing went wrong: there is no verdict."""

    views: tuple[int, ...] = ()
    """How many views each picture has: one, or two where transparency makes two pictures possible."""

    pixels_VCHW: NDArray[np.float32] | None = None
    """All views of all pictures, in order; None where there is none."""

    vision: VisionFeatures | None = None
    """Their features, where somebody has them already, in place of pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Everything the head said about a request."""

    ready: ReadyRequest
    """The request."""

    vision: VisionFeatures | None
    """Features of the views that stayed, one for each picture."""

    pairs: tuple[PairScores, ...]
    """Scores of each reading."""


class Scorer:
    """Scores batches with one model.

    Args:
        model: a SafeLlava with its head on.
        tower_batch: views that go through tower and projector together.
    """

    def __init__(self, model: SafeLlava, *, tower_batch: int) -> None:
        self._model = model
        self._tower_batch = tower_batch

    @torch.inference_mode()
    def score(self, batch: Sequence[ReadyRequest], gravity: Gravity) -> list[Scored]:
        """Scores of every request.

        Args:
            batch: the requests.
            gravity: decides which of two views stays.

        Raises:
            NoVerdictError: a view got lost on its way.
        """
        vision, views_of = self.see(batch)
        safe_BMD = None
        if vision is not None:
            safe_BMD = torch.cat([self._model.safe_features(part) for part in self._parts(vision)])
        kept_of, known = self._kept_views(batch, views_of, safe_BMD, gravity)
        asked = [(index, ids) for index, ready in enumerate(batch) for _, ids in ready.readings]
        heatmap = any(ready.request.heatmap for ready in batch)
        said = self._model.score_rows(
            safe_BMD,
            [kept_of[index] for index, _ in asked],
            [ids for _, ids in asked],
            heatmap=heatmap,
            known=None if heatmap else known,
        )
        pairs: list[list[PairScores]] = [[] for _ in batch]
        for (index, _), pair in zip(asked, said, strict=True):
            pairs[index].append(pair if batch[index].request.heatmap else replace(pair, heatmaps=()))
        return [
            Scored(ready=ready, vision=vision[kept] if vision is not None and kept else None, pairs=tuple(found))
            for ready, kept, found in zip(batch, kept_of, pairs, strict=True)
        ]

    def see(self, batch: Sequence[ReadyRequest]) -> tuple[VisionFeatures | None, list[list[int]]]:
        """Features of every distinct view of a batch, and for each request the rows of its views."""
        rows: dict[tuple[str, int], int] = {}
        unseen: list[NDArray[np.float32]] = []
        views_of: list[list[int]] = [[] for _ in batch]
        for index, ready in enumerate(batch):
            if ready.pixels_VCHW is None:
                continue
            keys = [(image.sha256, view) for image in ready.request.images for view in range(len(image.views))]
            if len(ready.pixels_VCHW) != len(keys):
                raise NoVerdictError(f"{len(ready.pixels_VCHW)} of {len(keys)} views were preprocessed")
            for key, view_CHW in zip(keys, ready.pixels_VCHW, strict=True):
                if key not in rows:
                    rows[key] = len(unseen)
                    unseen.append(view_CHW)
            views_of[index] = [rows[key] for key in keys]
        seen = [self._model.encode_images(self._on_device(part)) for part in self._parts(unseen)]
        found = sum(len(part) for part in seen)
        if found != len(unseen):
            raise NoVerdictError(f"{found} of {len(unseen)} views went through the vision tower")
        for index, ready in enumerate(batch):
            if ready.vision is not None:
                views_of[index] = list(range(found, found + len(ready.vision)))
                found += len(ready.vision)
                seen.append(ready.vision)
        return (VisionFeatures.concat(seen) if seen else None), views_of

    def _kept_views(
        self,
        batch: Sequence[ReadyRequest],
        views_of: Sequence[list[int]],
        safe_BMD: Tensor | None,
        gravity: Gravity,
    ) -> tuple[list[list[int]], dict[View, ViewScores]]:
        """For each request the rows that stay: of a picture's two views the one that is worse under any reading.

        What was judged on the way is judged for all.
        """
        doubtful = [
            (index, row, View((row,), tuple(ids) or None))
            for index, (ready, rows) in enumerate(zip(batch, views_of, strict=True))
            if len(rows) != len(ready.views)
            for row in rows
            for _, ids in ready.readings
        ]
        if not doubtful:
            return [list(rows) for rows in views_of], {}
        known = self._model.score_views(safe_BMD, list(dict.fromkeys(view for _, _, view in doubtful)))
        worst: dict[tuple[int, int], tuple[int, float]] = {}
        for index, row, view in doubtful:
            alone = PairScores(joint=None, per_image=(known[view].scores,), image=None, text=None)
            found = gravity(batch[index].request, alone)
            worst[index, row] = max(found, worst.get((index, row), (0, 0.0)))
        kept_of: list[list[int]] = []
        for index, (ready, rows) in enumerate(zip(batch, views_of, strict=True)):
            kept, start = [], 0
            for views in ready.views:
                of_picture = [((index, row), row) for row in rows[start : start + views]]
                start += views
                kept.append(max(of_picture, key=lambda place: worst.get(place[0], (0, 0.0)))[1])
            kept_of.append(kept)
        return kept_of, known

    def _parts(self, views: Any) -> list[Any]:
        """Views in batches that the tower takes."""
        return [views[start : start + self._tower_batch] for start in range(0, len(views), self._tower_batch)]

    def _on_device(self, views_CHW: Sequence[NDArray[np.float32]]) -> Tensor:
        pixels_BCHW = torch.from_numpy(np.stack(list(views_CHW)))
        if self._model.device.type != "cuda":
            return pixels_BCHW
        # From pinned memory the copy does not hold up the work that is already queued on the device.
        return pixels_BCHW.pin_memory().to(self._model.device, non_blocking=True)
