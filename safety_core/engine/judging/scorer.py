"""Scores batches of requests with vision tower, safety projector and head.

A view that occurs in several requests of a batch goes through the tower once. If an image has two views (transparency),
the view with the worse score is kept; this is the only use of a policy here. Shapes: V views of all of a request's
images · M safety features · D LLM width.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safety_core.engine.judging.model_input import ModelInput, ScoredInput
from safety_core.engine.judging.pace import Pace
from safety_core.engine.judging.view_selection import (
    DoubtfulView,
    SeverityKey,
    collect_distinct_views,
    join_features,
    list_doubtful_views,
    select_views,
)
from safety_core.engine.messages import ReplyRequest
from safety_core.engine.work import Work
from safety_core.model.head_inputs import HeadInput, HeadScores, build_pair_scores, estimate_cost, list_head_inputs
from safety_core.model.prompt_reader import ReadPrompts
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures
from safety_core.scores import Novelty, PairScores


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
    def score(self, batch: Sequence[ModelInput], severity: SeverityKey) -> list[ScoredInput]:
        """Scores of every request.

        Args:
            batch: the requests.
            severity: decides which of an image's two views is kept.

        Raises:
            NoVerdictError: the features or scores of a view are missing.
        """
        vision, rows_of = self.encode_views(batch)
        safe_BMD = None
        if vision is not None:
            safe_BMD = torch.cat([self._model.project_features(vision[part]) for part in self._slice(len(vision))])
        doubtful = self._list_doubtful_views(batch, rows_of)
        distinct = list(dict.fromkeys(request.head_input for request in doubtful))
        read: ReadPrompts = {}
        known = self._model.score_inputs(safe_BMD, distinct, read=read) if doubtful else {}
        kept_of = select_views(batch, rows_of, doubtful, known, severity)
        variants = [(index, ids) for index, request in enumerate(batch) for _, ids in request.text_variants]
        heatmap = any(request.request.heatmap for request in batch)
        scores = self._model.score_samples(
            safe_BMD,
            [kept_of[index] for index, _ in variants],
            [ids for _, ids in variants],
            heatmap=heatmap,
            known=None if heatmap else known,
            read=read,
        )
        lettering = self._model.score_inputs(safe_BMD, _list_lettering(batch), read=read)
        novelties = self._measure_novelty(batch, vision, kept_of, read)
        return _group_scores(batch, vision, kept_of, [index for index, _ in variants], scores, lettering, novelties)

    @torch.inference_mode()
    def score_in_slices(
        self, batch: Sequence[ModelInput], severity: SeverityKey, pace: Pace
    ) -> Generator[Work, None, list[ScoredInput]]:
        """Score as :meth:`score` does, pass by pass; yields the work done after each pass.

        Args:
            batch: the requests.
            severity: decides which of an image's two views is kept.
            pace: determines the size of each pass, and is updated afterwards.

        Raises:
            NoVerdictError: the features or scores of a view are missing.
        """
        pixels, rows_of = collect_distinct_views(batch)
        encoded: list[VisionFeatures] = []
        safe: list[Tensor] = []
        done = 0
        while done < len(pixels):
            started = time.perf_counter()
            part = pixels[done : done + min(pace.views, self._max_batch)]
            done += len(part)
            features = self._model.encode_images(self._move_to_device(part))
            encoded.append(features)
            spent_s = time.perf_counter() - started
            yield Work()  # half of the work is done, and other requests may go first
            started = time.perf_counter()
            safe.append(self._model.project_features(features))
            pace.record_views(len(part), spent_s + time.perf_counter() - started)
            yield Work(views=len(part))
        vision = join_features(batch, len(pixels), encoded, rows_of)
        safe += [self._model.project_features(request.vision) for request in batch if request.vision is not None]
        safe_BMD = torch.cat(safe) if safe else None
        doubtful = self._list_doubtful_views(batch, rows_of)
        read: ReadPrompts = {}
        yield from self._read_prompts(batch, read, pace)
        known: dict[HeadInput, HeadScores] = {}
        distinct = list(dict.fromkeys(request.head_input for request in doubtful))
        yield from self._score_views(safe_BMD, distinct, known, read, pace, heatmap=False)
        kept_of = select_views(batch, rows_of, doubtful, known, severity)
        variants = [(index, ids) for index, request in enumerate(batch) for _, ids in request.text_variants]
        samples = [(tuple(kept_of[index]), tuple(ids) or None) for index, ids in variants]
        heatmap = any(request.request.heatmap for request in batch)
        if heatmap:
            known = {}
        views = self._model.prompts.text_views
        inputs = [
            view for sample in samples for view in list_head_inputs(*sample, images_alone=views.images_alone)
        ] + _list_lettering(batch)
        missing = dict.fromkeys(view for view in inputs if view not in known)
        yield from self._score_views(safe_BMD, list(missing), known, read, pace, heatmap=heatmap)
        scores = [
            build_pair_scores(images, prompt, known, text_decides=views.without_images, images_alone=views.images_alone)
            for images, prompt in samples
        ]
        novelties = self._measure_novelty(batch, vision, kept_of, read)
        return _group_scores(batch, vision, kept_of, [index for index, _ in variants], scores, known, novelties)

    def _measure_novelty(
        self,
        batch: Sequence[ModelInput],
        vision: VisionFeatures | None,
        kept_of: Sequence[list[int]],
        read: ReadPrompts,
    ) -> list[Novelty | None]:
        """Measure how far each request lies outside of what was trained: its images, and all of the user's words."""
        detector = self._model.novelty
        if detector is None:
            return [None] * len(batch)
        of_rows = [] if vision is None else detector.measure_images(vision.layers)
        # A reply is no user's text, and is judged window by window.
        is_reply = [isinstance(request.request, ReplyRequest) for request in batch]
        texts = [
            () if reply or not request.text_variants else tuple(request.text_variants[0][1])
            for request, reply in zip(batch, is_reply, strict=True)
        ]
        distinct = [text for text in dict.fromkeys(texts) if text]
        of_texts = dict(
            zip(distinct, detector.measure_texts(self._model.prompt_reader.get_states(distinct, read)), strict=True)
        )
        return [
            None if reply else Novelty(text=of_texts.get(text), image=max((of_rows[row] for row in kept), default=None))
            for text, kept, reply in zip(texts, kept_of, is_reply, strict=True)
        ]

    def _read_prompts(self, batch: Sequence[ModelInput], read: ReadPrompts, pace: Pace) -> Generator[Work, None, None]:
        """Read every text with the language model's first layers, pass by pass; yields the work after each pass."""
        reader = self._model.prompt_reader
        texts = [tuple(ids) for request in batch for _, ids in request.text_variants]
        texts += [one.prompt or () for one in _list_lettering(batch)]
        started = time.perf_counter()
        for prompts in reader.read_in_passes(texts, read, limit=lambda: pace.tokens):
            costs = [reader.estimate_cost(len(prompt)) for prompt in prompts]
            pace.record_tokens(max(costs) * len(costs), time.perf_counter() - started)
            yield Work(tokens=sum(costs))
            started = time.perf_counter()

    def _score_views(
        self,
        safe_BMD: Tensor | None,
        views: Sequence[HeadInput],
        known: dict[HeadInput, HeadScores],
        read: ReadPrompts,
        pace: Pace,
        *,
        heatmap: bool,
    ) -> Generator[Work, None, None]:
        """Run the head pass by pass, and store the scores in ``known``; yields the work done after each pass."""
        if not views:
            return
        started = time.perf_counter()
        pieces = self._model.score_in_passes(safe_BMD, views, heatmap=heatmap, read=read, limit=lambda: pace.tokens)
        for piece in pieces:
            known |= piece
            tokens = max(map(estimate_cost, piece)) * len(piece)
            pace.record_tokens(tokens, time.perf_counter() - started)
            yield Work(tokens=sum(map(estimate_cost, piece)))
            started = time.perf_counter()

    def encode_views(self, batch: Sequence[ModelInput]) -> tuple[VisionFeatures | None, list[list[int]]]:
        """Encode every distinct view of a batch; returns the features, and for each request the rows of its views."""
        pixels, rows_of = collect_distinct_views(batch)
        slices = self._slice(len(pixels))
        encoded = [self._model.encode_images(self._move_to_device(pixels[part])) for part in slices]
        return join_features(batch, len(pixels), encoded, rows_of), rows_of

    def _list_doubtful_views(self, batch: Sequence[ModelInput], rows_of: Sequence[list[int]]) -> list[DoubtfulView]:
        return list_doubtful_views(batch, rows_of, images_alone=self._model.prompts.text_views.images_alone)

    def _slice(self, count: int) -> list[slice]:
        """Cut ``count`` views into slices that go through the tower together."""
        return [slice(start, start + self._max_batch) for start in range(0, count, self._max_batch)]

    def _move_to_device(self, views_CHW: Sequence[NDArray[np.float32]]) -> Tensor:
        pixels_BCHW = torch.from_numpy(np.stack(list(views_CHW)))
        if self._model.device.type != "cuda":
            return pixels_BCHW
        # A copy from pinned memory does not block work that is already queued on the device.
        return pixels_BCHW.pin_memory().to(self._model.device, non_blocking=True)


def _list_lettering(batch: Sequence[ModelInput]) -> list[HeadInput]:
    """List the head's distinct inputs for the lettering of a batch: texts without any image."""
    return list(dict.fromkeys(HeadInput((), text.ids) for request in batch for text in request.lettering))


def _group_scores(
    batch: Sequence[ModelInput],
    vision: VisionFeatures | None,
    kept_of: Sequence[list[int]],
    indices: Sequence[int],
    scores: Sequence[PairScores],
    known: Mapping[HeadInput, HeadScores],
    novelties: Sequence[Novelty | None],
) -> list[ScoredInput]:
    """Group scores by request.

    Args:
        batch: the requests.
        vision: features of all views.
        kept_of: for each request, the rows of its selected views.
        indices: for each of ``scores``, the index of its request.
        scores: the scores of all text variants of all requests.
        known: the scores of their lettering.
        novelties: for each request, how far it lies outside of what was trained.
    """
    pairs: list[list[PairScores]] = [[] for _ in batch]
    for index, pair in zip(indices, scores, strict=True):
        heatmaps = pair.heatmaps if batch[index].request.heatmap else ()
        pairs[index].append(replace(pair, heatmaps=heatmaps, novelty=novelties[index]))
    for request, request_pairs in zip(batch, pairs, strict=True):
        if request.lettering:
            lettering = tuple(known[HeadInput((), text.ids)].scores for text in request.lettering)
            request_pairs[0] = replace(request_pairs[0], lettering=lettering)
    return [
        ScoredInput(
            model_input=request,
            vision=vision[kept_rows] if vision is not None and kept_rows else None,
            pairs=tuple(request_scores),
        )
        for request, kept_rows, request_scores in zip(batch, kept_of, pairs, strict=True)
    ]
