"""The model's share of a judgement: requests in batches through vision tower, safety projector and head.

A view that several requests of a batch show goes through the tower once. Of a picture with two views (transparency)
the one that scores worse stays. No policy but that one question is asked of here; nothing is refused or answered.
Shapes: V views of all of a request's pictures · M safety features · D LLM width.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safety_core.engine.judging.variant_decision import Turns
from safety_core.engine.messages import GuardRequest, Prepared, Work
from safety_core.errors import NoVerdictError
from safety_core.model.head_inputs import (
    HeadInput,
    HeadScores,
    build_pair_scores,
    estimate_cost,
    estimate_row_cost,
    list_head_inputs,
)
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures
from safety_core.scores import PairScores

Gravity = Callable[[GuardRequest, PairScores], tuple[int, float]]
"""How bad a policy finds scores; sorts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyRequest(Prepared):
    """A request as the model takes it."""

    readings: tuple[tuple[Turns, list[int]], ...] = ()
    """Readings of the text, with the ids that the head reads; none where preparing went wrong: there is no verdict."""

    joined: bool = False
    """Whether the first reading puts several whole questions together, each of which is read alone too."""

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


class Pace:
    """Sizes passes of the model to take about ``target_s``, from measured durations.

    Args:
        max_batch: views that ever go through the tower together.
        target_s: seconds of a pass.
    """

    def __init__(self, *, max_batch: int, target_s: float = 0.02) -> None:
        self._max_batch = max_batch
        self._target_s = target_s
        self._view_s = 0.02
        self._token_s = 3e-5

    @property
    def views(self) -> int:
        """Views that go through tower and projector together; at least two if several threads share them."""
        least = min(2, torch.get_num_threads())
        return min(max(int(self._target_s / self._view_s), least), self._max_batch)

    @property
    def tokens(self) -> int:
        """Tokens that the head reads at once, padding included."""
        return max(int(self._target_s / self._token_s), 256)

    def saw(self, views: int, seconds: float) -> None:
        """Record how long some views took."""
        self._view_s = _smoothed(self._view_s, seconds / max(views, 1))

    def heard(self, tokens: int, seconds: float) -> None:
        """Record how long some tokens took."""
        self._token_s = _smoothed(self._token_s, seconds / max(tokens, 1))


class Scorer:
    """Scores batches with one model.

    Args:
        model: a SafeLlava with its head on.
        max_batch: views that go through tower and projector together.
    """

    def __init__(self, model: SafeLlava, *, max_batch: int) -> None:
        self._model = model
        self._max_batch = max_batch

    @torch.inference_mode()
    def score(self, batch: Sequence[ReadyRequest], gravity: Gravity) -> list[Scored]:
        """Scores of every request.

        Args:
            batch: the requests.
            gravity: decides which of two views stays.

        Raises:
            NoVerdictError: a view has no scores.
        """
        vision, views_of = self.see(batch)
        safe_BMD = None
        if vision is not None:
            safe_BMD = torch.cat([self._model.project_features(part) for part in self._parts(vision)])
        doubtful = self._doubtful(batch, views_of)
        known = self._model.score_inputs(safe_BMD, _distinct(doubtful)) if doubtful else {}
        kept_of = self._kept_views(batch, views_of, doubtful, known, gravity)
        asked = [(index, ids) for index, ready in enumerate(batch) for _, ids in ready.readings]
        heatmap = any(ready.request.heatmap for ready in batch)
        said = self._model.score_samples(
            safe_BMD,
            [kept_of[index] for index, _ in asked],
            [ids for _, ids in asked],
            heatmap=heatmap,
            known=None if heatmap else known,
        )
        return _scored(batch, vision, kept_of, [index for index, _ in asked], said)

    @torch.inference_mode()
    def score_in_slices(
        self, batch: Sequence[ReadyRequest], gravity: Gravity, pace: Pace
    ) -> Generator[Work, None, list[Scored]]:
        """The same scores as :meth:`score`, pass by pass: yields the work done after each.

        Args:
            batch: the requests.
            gravity: decides which of two views stays.
            pace: sizes the passes; updated after each.

        Raises:
            NoVerdictError: a view has no scores.
        """
        unseen, views_of = self._distinct_views(batch)
        seen: list[VisionFeatures] = []
        safe: list[Tensor] = []
        done = 0
        while done < len(unseen):
            started = time.perf_counter()
            part = unseen[done : done + min(pace.views, self._max_batch)]
            done += len(part)
            features = self._model.encode_images(self._on_device(part))
            seen.append(features)
            spent_s = time.perf_counter() - started
            yield Work()  # the pass is half done; other requests may go first
            started = time.perf_counter()
            safe.append(self._model.project_features(features))
            pace.saw(len(part), spent_s + time.perf_counter() - started)
            yield Work(views=len(part))
        vision = self._seen(batch, unseen, seen, views_of)
        safe += [self._model.project_features(ready.vision) for ready in batch if ready.vision is not None]
        safe_BMD = torch.cat(safe) if safe else None
        doubtful = self._doubtful(batch, views_of)
        known: dict[HeadInput, HeadScores] = {}
        yield from self._heard(safe_BMD, _distinct(doubtful), known, pace, heatmap=False)
        kept_of = self._kept_views(batch, views_of, doubtful, known, gravity)
        asked = [(index, ids) for index, ready in enumerate(batch) for _, ids in ready.readings]
        samples = [(tuple(kept_of[index]), tuple(ids) or None) for index, ids in asked]
        heatmap = any(ready.request.heatmap for ready in batch)
        if heatmap:
            known = {}
        wanted = dict.fromkeys(view for sample in samples for view in list_head_inputs(*sample) if view not in known)
        yield from self._heard(safe_BMD, list(wanted), known, pace, heatmap=heatmap)
        said = [build_pair_scores(images, prompt, known) for images, prompt in samples]
        return _scored(batch, vision, kept_of, [index for index, _ in asked], said)

    def _heard(
        self,
        safe_BMD: Tensor | None,
        views: Sequence[HeadInput],
        known: dict[HeadInput, HeadScores],
        pace: Pace,
        *,
        heatmap: bool,
    ) -> Generator[Work, None, None]:
        """Judge views with the head, pass by pass, and store the scores in ``known``."""
        if not views:
            return
        started = time.perf_counter()
        pieces = self._model.score_in_passes(safe_BMD, views, heatmap=heatmap, limit=lambda: pace.tokens)
        for piece in pieces:
            known |= piece
            tokens = max(map(estimate_cost, piece)) * len(piece)
            pace.heard(tokens, time.perf_counter() - started)
            yield Work(tokens=sum(map(estimate_cost, piece)))
            started = time.perf_counter()

    def see(self, batch: Sequence[ReadyRequest]) -> tuple[VisionFeatures | None, list[list[int]]]:
        """Features of every distinct view of a batch, and for each request the rows of its views."""
        unseen, views_of = self._distinct_views(batch)
        seen = [self._model.encode_images(self._on_device(part)) for part in self._parts(unseen)]
        return self._seen(batch, unseen, seen, views_of), views_of

    def _distinct_views(self, batch: Sequence[ReadyRequest]) -> tuple[list[NDArray[np.float32]], list[list[int]]]:
        """Every distinct view of a batch's pixels, and for each request the rows of its views."""
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
        return unseen, views_of

    def _seen(
        self,
        batch: Sequence[ReadyRequest],
        unseen: Sequence[NDArray[np.float32]],
        seen: Sequence[VisionFeatures],
        views_of: list[list[int]],
    ) -> VisionFeatures | None:
        """The tower's features, followed by the features that requests already contain; completes ``views_of``."""
        found = sum(len(part) for part in seen)
        if found != len(unseen):
            raise NoVerdictError(f"{found} of {len(unseen)} views went through the vision tower")
        for index, ready in enumerate(batch):
            if ready.vision is not None:
                views_of[index] = list(range(found, found + len(ready.vision)))
                found += len(ready.vision)
        parts = [*seen, *(ready.vision for ready in batch if ready.vision is not None)]
        return VisionFeatures.concatenate(parts) if parts else None

    def _doubtful(
        self, batch: Sequence[ReadyRequest], views_of: Sequence[list[int]]
    ) -> list[tuple[int, int, HeadInput]]:
        """The judgements needed to select one of a picture's two views: request, row, and view of the head."""
        return [
            (index, row, HeadInput((row,), tuple(ids) or None))
            for index, (ready, rows) in enumerate(zip(batch, views_of, strict=True))
            if len(rows) != len(ready.views)
            for row in rows
            for _, ids in ready.readings
        ]

    def _kept_views(
        self,
        batch: Sequence[ReadyRequest],
        views_of: Sequence[list[int]],
        doubtful: Sequence[tuple[int, int, HeadInput]],
        known: Mapping[HeadInput, HeadScores],
        gravity: Gravity,
    ) -> list[list[int]]:
        """For each request its selected rows: of a picture's two views the one with the worse result in any variant."""
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
        return kept_of

    def _parts(self, views: Any) -> list[Any]:
        """Views in batches that the tower takes."""
        return [views[start : start + self._max_batch] for start in range(0, len(views), self._max_batch)]

    def _on_device(self, views_CHW: Sequence[NDArray[np.float32]]) -> Tensor:
        pixels_BCHW = torch.from_numpy(np.stack(list(views_CHW)))
        if self._model.device.type != "cuda":
            return pixels_BCHW
        # From pinned memory the copy does not hold up the work that is already queued on the device.
        return pixels_BCHW.pin_memory().to(self._model.device, non_blocking=True)


def _smoothed(before: float, newest: float) -> float:
    """A running mean that is robust to single outliers, such as a first pass or a stalled machine."""
    return max(before + 0.2 * (min(newest, 4 * before) - before), 1e-9)


def _distinct(doubtful: Sequence[tuple[int, int, HeadInput]]) -> list[HeadInput]:
    return list(dict.fromkeys(view for _, _, view in doubtful))


def _scored(
    batch: Sequence[ReadyRequest],
    vision: VisionFeatures | None,
    kept_of: Sequence[list[int]],
    asked: Sequence[int],
    said: Sequence[PairScores],
) -> list[Scored]:
    """Scores of each request; ``asked`` is the index of the request that each score belongs to."""
    pairs: list[list[PairScores]] = [[] for _ in batch]
    for index, pair in zip(asked, said, strict=True):
        pairs[index].append(pair if batch[index].request.heatmap else replace(pair, heatmaps=()))
    return [
        Scored(ready=ready, vision=vision[kept] if vision is not None and kept else None, pairs=tuple(found))
        for ready, kept, found in zip(batch, kept_of, pairs, strict=True)
    ]


def work_of(ids: Sequence[Sequence[int]], views: Sequence[int]) -> Work:
    """The work of judging a request.

    Args:
        ids: the head's token ids for each variant of the text.
        views: how many views each picture has.
    """
    rows, pictures = sum(views), len(views)
    asked = [len(one) for one in ids if one]
    tokens = sum(rows * estimate_row_cost(length, 1) for length in asked or [0])
    tokens += sum(estimate_row_cost(length, 0) for length in asked)
    if pictures > 1:
        tokens += sum(estimate_row_cost(length, pictures) for length in asked)
    if pictures > 1 or (pictures and asked):
        tokens += estimate_row_cost(0, pictures)
    return Work(requests=1, views=rows, tokens=tokens)
