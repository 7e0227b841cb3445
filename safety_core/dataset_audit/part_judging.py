"""Judges the items of parts with a guard, as a server judges requests; items are decoded ahead of the model.

A pool of threads reads, decodes, tokenises and signs items while the model judges earlier ones. Items are judged in
windows; within a window they are sorted by length, so that little of a batch is padding. Windows end with their part
and depend only on the items, so a part has the same batches, and therefore the same scores, in every run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

from safety_core.dataset_audit.duplicates.signatures import hash_decoded, sign_text
from safety_core.dataset_audit.journal import PartPlan
from safety_core.dataset_audit.part_table import JudgedItem
from safety_core.dataset_audit.sources.item import AuditItem, read_picture
from safety_core.dataset_audit.sources.source import Source
from safety_core.engine.guard import Guard
from safety_core.engine.judging.conversation_decision import decide_conversation
from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.engine.work import JudgedRequest, PreparedRequest
from safety_core.errors import ConfigError, EngineError, ImageError, InputError
from safety_core.inputs.images.decoding import DecodedImage, decode_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.policy.named_policies import ActivePolicy

WINDOW_ITEMS = 128
"""Maximum number of items that are sorted together."""

WINDOW_BYTES = 128 << 20
"""Maximum memory of the pixels of a window; an item that needs more is a window of its own."""

_VIEWS = 2
"""Views of a picture that memory is planned for: transparent ones have two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingOptions:
    """How items are judged."""

    workers: int
    """Threads that prepare items."""

    batch: int = 0
    """Maximum size of a batch: about the number of its pictures (``PreparedRequest.cost``). 0 chooses it by the device
    (:func:`choose_batch`)."""

    duplicates: bool
    """Whether items get signatures."""


def choose_batch(options: JudgingOptions, device: str) -> JudgingOptions:
    """Choose the size of batches where it was left open: a CPU's caches hold the activations of a few pictures only."""
    return options if options.batch else replace(options, batch=8 if device == "cpu" else 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """An item that is ready to be judged, or why it is not."""

    judged: JudgedItem
    """The item, without a verdict yet."""

    request: PreparedRequest | None


class PartJudge:
    """Judges parts with one guard.

    Args:
        guard: the guard; it need not answer.
        policy: the policy in force; the guard's own if None.
        options: how items are judged.
    """

    def __init__(self, guard: Guard, policy: ActivePolicy | None, options: JudgingOptions) -> None:
        self._guard = guard
        self._policy = policy
        self._options = options
        self._limits = guard.info.limit_images(ImageLimits())
        side, seen = guard.info.image_side or self._limits.max_side, self._limits.max_side
        # A view is kept as bytes of three channels, and as float32 of what the tower sees.
        self._picture_bytes = _VIEWS * 3 * (4 * side * side + seen * seen)

    def judge_parts(self, source: Source, plans: Sequence[PartPlan]) -> Iterator[list[JudgedItem]]:
        """Yield the judged items of each part, in order.

        Raises:
            ConfigError: the source has fewer items than planned.
        """
        if not plans:
            return
        items = source.stream(plans[0].start)
        with ThreadPoolExecutor(self._options.workers, thread_name_prefix="audit") as pool:
            try:
                yield from self._judge_prepared(self._prepare_ahead(items, pool, plans), plans)
            finally:
                pool.shutdown(cancel_futures=True)

    def _judge_prepared(self, prepared: Iterator[_Prepared], plans: Sequence[PartPlan]) -> Iterator[list[JudgedItem]]:
        for plan in plans:
            of_part = islice(prepared, plan.count)
            judged = [one for window in self._split_windows(of_part) for one in self._judge_window(window)]
            if len(judged) != plan.count:
                raise ConfigError("the source has fewer items than when the audit began")
            yield judged

    def _prepare_ahead(
        self, items: Iterator[AuditItem], pool: ThreadPoolExecutor, plans: Sequence[PartPlan]
    ) -> Iterator[_Prepared]:
        """Yield prepared items in order, while as many as a window has, at most, are being prepared."""
        pending: deque[tuple[int, Future[_Prepared]]] = deque()
        planned = 0
        total = sum(plan.count for plan in plans)
        for item in islice(items, total):
            needed = self._estimate_bytes(item)
            while pending and (len(pending) >= WINDOW_ITEMS or planned + needed > WINDOW_BYTES):
                freed, future = pending.popleft()
                planned -= freed
                yield future.result()
            pending.append((needed, pool.submit(self._prepare, item)))
            planned += needed
        while pending:
            yield pending.popleft()[1].result()

    def _split_windows(self, prepared: Iterable[_Prepared]) -> Iterator[list[_Prepared]]:
        window: list[_Prepared] = []
        planned = 0
        for one in prepared:
            needed = self._estimate_bytes(one.judged.item)
            if window and (len(window) == WINDOW_ITEMS or planned + needed > WINDOW_BYTES):
                yield window
                window, planned = [], 0
            window.append(one)
            planned += needed
        if window:
            yield window

    def _estimate_bytes(self, item: AuditItem) -> int:
        return len(item.pictures) * self._picture_bytes

    # --- preparing, in any thread --------------------------------------------------------------------------------

    def _prepare(self, item: AuditItem) -> _Prepared:
        """Read, decode and tokenise an item; nothing that is wrong with it is raised."""
        if item.problem is not None:
            return _Prepared(judged=JudgedItem(item=item, problem=item.problem, readable=False), request=None)
        images: list[DecodedImage] = []
        for picture in item.pictures:
            try:
                content = read_picture(picture, self._limits.max_bytes)
                images.append(decode_image(content, limits=self._limits, fill=self._guard.info.pad_colour))
            except ImageError as exc:
                return _Prepared(judged=JudgedItem(item=item, problem=exc.code, readable=False), request=None)
        words = "\n".join(turn.text for turn in item.turns if turn.role == "user")
        judged = JudgedItem(
            item=item,
            digests=tuple(image.sha256 for image in images),
            hashes=tuple(map(hash_decoded, images)) if self._options.duplicates else (),
            signature=sign_text(words) if self._options.duplicates and words else None,
        )
        request = GuardRequest(images=tuple(images), turns=item.turns, policy=self._policy)
        try:
            return _Prepared(judged=judged, request=self._guard.prepare(request))
        except InputError as exc:
            return _Prepared(judged=replace(judged, problem=exc.code), request=None)
        except EngineError:
            return _Prepared(judged=replace(judged, problem="out_of_memory"), request=None)

    # --- judging, in the model's thread --------------------------------------------------------------------------

    def _judge_window(self, window: Sequence[_Prepared]) -> list[JudgedItem]:
        judged = [one.judged for one in window]
        ready = [(index, one.request) for index, one in enumerate(window) if one.request is not None]
        # Short requests first; those without pictures before those with some, which go through other passes.
        ready.sort(key=lambda entry: (bool(entry[1].request.images), entry[1].amount.tokens, entry[0]))
        for batch in self._split_batches(ready):
            outcomes = self._guard.judge([request for _, request in batch])
            for (index, request), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, JudgedRequest):
                    verdict = self._decide_conversation(request.request, outcome)
                    judged[index] = replace(judged[index], verdict=verdict)
                else:
                    judged[index] = replace(judged[index], problem="out_of_memory")
        return judged

    def _split_batches(
        self, ready: Sequence[tuple[int, PreparedRequest]]
    ) -> Iterator[list[tuple[int, PreparedRequest]]]:
        batch: list[tuple[int, PreparedRequest]] = []
        cost = 0
        for entry in ready:
            if batch and cost + entry[1].cost > self._options.batch:
                yield batch
                batch, cost = [], 0
            batch.append(entry)
            cost += entry[1].cost
        if batch:
            yield batch

    def _decide_conversation(self, request: GuardRequest, whole: JudgedRequest) -> GuardVerdict:
        """Judge parts of a conversation that is refused as a whole, as a server does: earlier turns may be dropped."""
        if len(request.turns) < 2 or whole.verdict.refusal is None:
            return whole.verdict

        def judge(parts: Sequence[GuardRequest]) -> list[JudgedRequest | InputError]:
            return [whole if part is request else self._judge_alone(part) for part in parts]

        return decide_conversation(request, judge).judged.verdict

    def _judge_alone(self, request: GuardRequest) -> JudgedRequest | InputError:
        try:
            (outcome,) = self._guard.judge([self._guard.prepare(request)])
        except InputError as exc:
            return exc
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
