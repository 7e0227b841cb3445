"""The guard as an event loop sees it: awaited verdicts, events as they come, deadlines, cancellation, back-pressure.

The seam between server and engine. Below it one worker thread owns the model (``scheduler``, kept alive by
``supervisor``); above it everything is awaited, and no wait outlasts its deadline or its client. Requests that are
alike share one verdict, while it is being reached and afterwards. Knows no torch and no HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from safety_core.engine.generation.outcomes import answered, refused
from safety_core.engine.judging.history import Settled, settle_async
from safety_core.engine.judging.picture_questions import NO_PICTURE, lacks_picture, no_picture_reply
from safety_core.engine.messages import (
    ChatRequest,
    Delta,
    Event,
    GuardInfo,
    GuardLike,
    GuardRequest,
    GuardVerdict,
    Judged,
    Prepared,
    Reply,
    RowLike,
    Work,
)
from safety_core.engine.serving.batcher import Batcher, bounded_retry
from safety_core.engine.serving.cores import CoreShare
from safety_core.engine.serving.prepare_queue import PrepareQueue
from safety_core.engine.serving.rejections import Rejections
from safety_core.engine.serving.scheduler import Observer, Progress, Scheduler, Ticket
from safety_core.engine.serving.supervisor import Supervisor
from safety_core.engine.serving.verdict_cache import VerdictCache, key_of
from safety_core.errors import DeadlineError, OverloadedError, StoppedError

_CHARACTERS_PER_TOKEN = 4
"""Of plain text; what a prompt really takes is known too late to turn it away at once."""

_CHARACTERS_PER_VIEW = 50
"""Of a text that is searched for disguises; preparing it takes as long as preparing a view of a picture."""

_EXPENSIVE_CHARACTERS = 512
"""Preparing more takes so long, up to half a second, that other requests are not made to wait for it."""

_ROW_TOKENS = 16
"""Fixed cost of judging a sentence, in head tokens, in addition to its words."""

_TOO_LONG = "the model took longer than the operator allows"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Bounds of an engine."""

    max_requests: int = 128
    """Requests that may wait for a verdict."""

    max_batch: int = 16
    """Views of pictures that are judged together."""

    max_wait_s: float = 0.002
    """Longest time that a verdict is held back for requests that are being prepared."""

    max_prefill: int = 1024
    """Positions of prompts that are read between two tokens of the running replies."""

    max_tokens_in_flight: int = 1 << 16
    """Positions that all accepted chats together may come to, prompts and replies."""

    cache_bytes: int = 64 << 20
    """Memory for verdicts that were reached already; 0 keeps none."""

    verdict_timeout_s: float = 30.0
    """Longest wait for a verdict, in the queue and at work, where the caller names no deadline."""

    client_share: float = 0.5
    """Share of the queue, of ``verdict_timeout_s`` of waiting work, and of the token budget that one client may hold
    while others are present."""

    prepare_slots: int = 2
    """Requests that are prepared at a time; the rest wait in a fair order."""

    reply_timeout_s: float = 300.0
    """Longest wait for a complete reply, from the verdict on."""

    restart_pause_s: float = 0.1
    """Seconds before a worker that died begins anew; doubled by each further death in a row, up to ten seconds."""


class EngineObserver(Observer, Protocol):
    """Who counts what the engine does; ``batch`` and ``tokens`` are called from the worker's thread."""

    def cache(self, outcome: str) -> None:
        """A verdict was known (``hit``), shared with one under way (``joined``) or had to be reached (``miss``)."""


@dataclass(slots=True, eq=False)
class _Flight:
    """A verdict that is being reached, and how many wait for it."""

    task: asyncio.Task[Judged]
    client: str
    deadline: float
    waiters: int = 0
    future: Future[Judged] | None = None

    def extend(self, deadline: float, verdicts: Batcher[Prepared, Judged]) -> None:
        """Add a waiter, whose deadline may be later than those of the others."""
        self.deadline = max(self.deadline, deadline)
        if self.future is not None:
            verdicts.extend(self.future, self.deadline)


class AsyncGuard:
    """Runs a guard behind an event loop; to be made, used and closed in that loop.

    Args:
        guard: the guard; from now on only the worker's thread touches its model.
        preparers: threads in which requests are prepared.
        observer: counts.
        config: bounds.
        on_death: told in the event loop that the worker died; it is about to begin anew.
        cores: shared with other long work of the process.
    """

    def __init__(
        self,
        guard: GuardLike,
        *,
        preparers: Executor,
        observer: EngineObserver,
        config: EngineConfig | None = None,
        on_death: Callable[[], None] = lambda: None,
        cores: CoreShare | None = None,
    ) -> None:
        self._config = EngineConfig() if config is None else config
        self._guard = guard
        self._observer = observer
        self._on_death = on_death
        self._loop = asyncio.get_running_loop()
        self._cache = VerdictCache(self._config.cache_bytes)
        self._flights: dict[str, _Flight] = {}
        self._readers: dict[Ticket, asyncio.Queue[Progress]] = {}
        self._positions: Counter[str] = Counter()
        self._chat_s = 1.0
        self._rejections = Rejections()
        self._preparing = PrepareQueue(preparers, slots=self._config.prepare_slots)
        self._cores = CoreShare() if cores is None else cores
        self._scheduler = Scheduler(
            guard,
            self._deliver,
            observer,
            max_requests=self._config.max_requests,
            max_batch=self._config.max_batch,
            max_wait_s=self._config.max_wait_s,
            max_prefill=self._config.max_prefill,
            horizon_s=self._config.verdict_timeout_s,
            client_share=self._config.client_share,
            cores=self._cores,
        )
        self._supervisor = Supervisor(
            self._scheduler.run, self._died, first_pause_s=self._config.restart_pause_s, name="guard"
        )

    @property
    def info(self) -> GuardInfo:
        """What the guard runs on."""
        return self._guard.info

    @property
    def depth(self) -> int:
        """Requests that wait for a verdict."""
        return self._scheduler.verdicts.depth

    @property
    def waiting_replies(self) -> int:
        """Chats that wait for a place among the running replies."""
        return self._scheduler.waiting_replies

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return self._scheduler.idle

    @property
    def alive(self) -> bool:
        """Whether the worker lives, and its present turn has not outlived a verdict's deadline."""
        if self._scheduler.down or not self._supervisor.alive:
            return False
        return self._scheduler.turn_s <= self._config.verdict_timeout_s

    @property
    def deaths(self) -> int:
        """How often the worker died."""
        return self._supervisor.deaths

    @property
    def exhausted(self) -> bool:
        """Whether a verdict or a reply ran out of memory and none has succeeded since."""
        return self._scheduler.exhausted

    def retry_after_s(self) -> float:
        """Seconds after which a request rejected now is likely to be accepted, estimated from the waiting work."""
        return bounded_retry(self._scheduler.verdicts.backlog_s)

    async def assess(self, request: GuardRequest, *, client: str = "", deadline: float | None = None) -> GuardVerdict:
        """Judge, generate nothing.

        Args:
            request: what to judge.
            client: key for fair queueing; clients share the model's time evenly, and the queue.
            deadline: latest time of the verdict, by ``time.monotonic``; ``verdict_timeout_s`` from now if None.

        Raises:
            InputError: the request is at fault.
            OverloadedError: the verdict would come too late because of the waiting work; carries ``retry_after_s``.
            DeadlineError: no verdict in time.
            ExhaustedError: there was not enough memory.
            StoppedError: the engine is closing, or its worker died.
        """
        return (await self._settled(request, client, self._due(deadline))).judged.verdict

    def require_room(self, pictures: int, *, client: str = "", deadline: float | None = None) -> None:
        """Reject a request by its number of pictures, before they are decoded, if its verdict would come too late
        anyway.

        Raises:
            OverloadedError: as :meth:`assess`.
            DeadlineError: the deadline has passed.
        """
        self._rejections.require_none(client, pictures)
        least = Work(requests=1, views=pictures)
        self._scheduler.require_room(GuardRequest(), least, deadline=self._due(deadline), client=client)

    async def self_check(self) -> str | None:
        """Judge the canary before all other requests; None if its verdict is right, else what is wrong.

        Raises as :meth:`assess` does, but never OverloadedError.
        """
        deadline = self._due(None)
        work = self._loop.create_task(self._judged(self._guard.canary, "", deadline, urgent=True))
        judged = await self._until(deadline, work)
        return self._guard.complaint(judged.verdict)

    async def stream(
        self, request: ChatRequest, *, client: str = "", deadline: float | None = None
    ) -> AsyncGenerator[Event, None]:
        """Judge, then answer or refuse, event by event; arguments as of :meth:`assess`.

        Closing the generator early (the client disconnected) removes the request from the queue or stops its reply
        before the next token. Raises as :meth:`assess` does, GenerationError, and OverloadedError also if accepted
        chats have used up the token budget.
        """
        due = self._due(deadline)
        with self._reserved(request, client):
            settled = await self._settled(request, client, due)
            judged = settled.judged
            if judged.verdict.refusal is not None:
                yield judged.verdict
                yield Delta(text=judged.verdict.refusal, refusal=True)
                yield refused(judged.verdict)
                return
            read = settled.request
            assert isinstance(read, ChatRequest), "what is left of a chat is a chat"
            if lacks_picture(read):
                yield judged.verdict
                yield Delta(text=NO_PICTURE)
                yield no_picture_reply(judged.verdict)
                return
            with self._asked(judged, read, client) as (ticket, news):
                yield judged.verdict  # the reply is on its way while its reader hears of the verdict
                while True:
                    progress = await news.get()
                    if progress.failure is not None:
                        raise progress.failure
                    if progress.piece:
                        yield Delta(text=progress.piece)
                    if progress.row is not None:
                        yield self._answered(judged, ticket, progress.row)
                        return

    async def close(self, *, timeout_s: float) -> bool:
        """Take no more work and fail what waits; returns whether the worker ended in time."""
        self._supervisor.stop()
        self._scheduler.close()
        ended = await asyncio.to_thread(self._supervisor.join, timeout_s)
        if not ended:  # nobody will come back to tell them
            self._scheduler.bury(StoppedError("the server is stopping"))
        return ended

    # --- verdicts ------------------------------------------------------------------------------------------------

    async def _settled(self, request: GuardRequest, client: str, deadline: float) -> Settled:
        """Decide on a conversation; one deadline covers all of its judgements."""
        return await settle_async(request, lambda one: self._known_or_judged(one, client, deadline))

    def _due(self, deadline: float | None) -> float:
        """The deadline of a verdict; raises DeadlineError where it has passed."""
        now = time.monotonic()
        if deadline is None:
            return now + self._config.verdict_timeout_s
        if deadline <= now:
            raise DeadlineError(_TOO_LONG)
        return deadline

    async def _known_or_judged(self, request: GuardRequest, client: str, deadline: float) -> Judged:
        """A verdict: kept, under way, or new; in time."""
        asked = time.perf_counter()
        key = key_of(request, self._guard.fingerprint)
        known = self._cache.get(key)
        if known is None and not isinstance(request, ChatRequest):
            # A chat's verdict says all that a classification's does.
            known = self._cache.get(key_of(request, self._guard.fingerprint, answerable=True))
        if known is not None:
            self._observer.cache("hit")
            return known
        flight = self._flights.get(key)
        self._observer.cache("miss" if flight is None else "joined")
        if flight is not None:
            flight.extend(deadline, self._scheduler.verdicts)
            try:
                judged = await self._awaited(flight, deadline)
            except OverloadedError:
                if flight.client == client:
                    raise
                # Its client had its share; this one may not have.
            else:
                return _shared(judged, queue_ms=1000 * (time.perf_counter() - asked))
        return await self._awaited(self._flights.get(key) or self._take_off(key, request, client, deadline), deadline)

    def _take_off(self, key: str, request: GuardRequest, client: str, deadline: float) -> _Flight:
        """Begin to reach a verdict that others may come to share."""

        async def judged() -> Judged:
            return await self._judged(request, client, deadline, flight=flight)

        flight = self._flights[key] = _Flight(self._loop.create_task(judged()), client, deadline)

        def landed(task: asyncio.Task[Judged]) -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]
            if not task.cancelled() and task.exception() is None:
                self._cache.put(key, _shared(task.result()))

        flight.task.add_done_callback(landed)
        return flight

    async def _awaited(self, flight: _Flight, deadline: float) -> Judged:
        """Wait for a verdict, but not too long; the last to leave calls it off."""
        flight.waiters += 1
        try:
            return await self._until(deadline, asyncio.shield(flight.task))
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                flight.task.cancel()
                # Nobody may join a flight that has been called off, before it has noticed.
                self._flights = {key: other for key, other in self._flights.items() if other is not flight}

    async def _judged(
        self,
        request: GuardRequest,
        client: str,
        deadline: float,
        *,
        flight: _Flight | None = None,
        urgent: bool = False,
    ) -> Judged:
        """Prepare a request and have it judged."""
        asked = time.perf_counter()
        verdicts, least = self._scheduler.verdicts, _least_work(request)
        if not urgent:  # what will be refused anyway need not be prepared, which takes time from others
            self._rejections.require_none(client, len(request.images), least.tokens)
            self._scheduler.require_room(request, least, deadline=deadline, client=client)
        verdicts.expect()
        is_expensive = _length(request) > _EXPENSIVE_CHARACTERS

        def prepare() -> Prepared:
            with self._cores.occupied() if is_expensive else nullcontext():
                return self._prepared(request, None if urgent else client)

        try:
            prepared = await self._preparing.run(
                prepare,
                order=lambda: (not urgent, verdicts.served_s(client), _length(request)),
                expensive=is_expensive,
            )
        except BaseException:
            verdicts.no_longer_expect()
            raise
        queued = time.perf_counter()
        try:
            future = self._scheduler.judge(
                prepared,
                deadline=deadline if flight is None else flight.deadline,
                expected=True,
                client=client,
                urgent=urgent,
            )
        except OverloadedError as exc:
            self._rejections.add(client, len(request.images), least.tokens, exc.retry_after_s)
            raise
        if flight is not None:
            flight.future = future
        judged = await asyncio.wrap_future(future)
        waited_ms = 1000 * (time.perf_counter() - queued) - judged.verdict.guard_ms
        return _timed(judged, prepare_ms=1000 * (queued - asked), queue_ms=max(0.0, waited_ms))

    def _prepared(self, request: GuardRequest, client: str | None) -> Prepared:
        """Prepare a request and charge its client, if there is one; called in a thread."""
        began = time.thread_time()
        try:
            return self._guard.prepare(request)
        finally:
            if client is not None:
                self._scheduler.verdicts.charge_for(client, time.thread_time() - began)

    async def _until(self, deadline: float, work: Awaitable[Judged]) -> Judged:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await work
        except TimeoutError as exc:
            raise DeadlineError(_TOO_LONG) from exc

    # --- replies -------------------------------------------------------------------------------------------------

    @contextmanager
    def _asked(
        self, judged: Judged, request: ChatRequest, client: str
    ) -> Iterator[tuple[Ticket, asyncio.Queue[Progress]]]:
        """A reply that was asked for, and where its news come in; it is called off at the end."""
        deadline = time.monotonic() + self._config.reply_timeout_s
        ticket = self._scheduler.answer(self._guard.job(judged, request), deadline=deadline, client=client)
        news = self._readers[ticket] = asyncio.Queue[Progress]()
        # One timer for the whole reply; the worker keeps the deadline too, unless it is stuck.
        late = Progress(ticket, failure=DeadlineError(_TOO_LONG))
        timer = self._loop.call_later(self._config.reply_timeout_s, news.put_nowait, late)
        try:
            yield ticket, news
        finally:
            timer.cancel()
            del self._readers[ticket]
            self._scheduler.depart(ticket)

    def _answered(self, judged: Judged, ticket: Ticket, row: RowLike) -> Reply:
        waited_ms, whole_ms = 1000 * ticket.queue_s, 1000 * (time.monotonic() - ticket.since)
        return answered(
            judged.verdict,
            row,
            queue_ms=judged.verdict.queue_ms + waited_ms,
            generate_ms=whole_ms - waited_ms,
        )

    @contextmanager
    def _reserved(self, request: ChatRequest, client: str) -> Iterator[None]:
        """Hold the positions that a chat may come to against the budget."""
        words = sum(len(turn.text) for turn in request.turns) // _CHARACTERS_PER_TOKEN
        positions = words + len(request.images) * self._guard.info.positions_per_image + request.max_tokens
        held, budget = self._positions.total(), self._config.max_tokens_in_flight
        if held and held + positions > budget:
            raise self._over_budget("the accepted chats have used up the token budget", held + positions - budget)
        own, share = self._positions[client], self._config.client_share * budget
        if own and own < held and own + positions > share:
            raise self._over_budget("this client already has its share of the token budget", own + positions - share)
        self._positions[client] += positions
        began = time.monotonic()
        try:
            yield
        finally:
            self._positions[client] -= positions
            if not self._positions[client]:
                del self._positions[client]
            self._chat_s += 0.2 * (time.monotonic() - began - self._chat_s)

    def _over_budget(self, message: str, excess: float) -> OverloadedError:
        """An error whose ``retry_after_s`` is estimated from the rate at which accepted chats end."""
        share = min(1.0, excess / max(self._positions.total(), 1))
        return OverloadedError(
            message, retry_after_s=bounded_retry(self._scheduler.verdicts.backlog_s + share * self._chat_s)
        )

    # --- the worker ----------------------------------------------------------------------------------------------

    def _deliver(self, news: Sequence[Progress]) -> None:
        """Called in the worker's thread: one wake-up of the loop for all news of a turn."""
        with suppress(RuntimeError):  # the loop has closed: nobody is left to read
            self._loop.call_soon_threadsafe(self._hand_out, news)

    def _hand_out(self, news: Sequence[Progress]) -> None:
        for progress in news:
            reader = self._readers.get(progress.ticket)
            if reader is not None:
                reader.put_nowait(progress)

    def _died(self, exc: BaseException) -> None:
        """Called in the dying worker's thread."""
        self._scheduler.bury(StoppedError("the worker died"))
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_death)


def _least_work(request: GuardRequest) -> Work:
    """Least cost of judging a request, from what is known before it is prepared.

    Every sentence is judged with every picture; halved, because equal sentences are judged once.
    """
    views = sum(len(image.views) for image in request.images)
    texts = [turn.text for turn in request.turns]
    sentences = sum(text.count(end) for text in texts for end in ".!?\n")
    tokens = _ROW_TOKENS * sentences + sum(map(len, texts)) // _CHARACTERS_PER_TOKEN
    return Work(requests=1, views=views, tokens=tokens * (views + 1) // 2)


def _length(request: GuardRequest) -> int:
    """Cost of preparing a request, for ordering, in characters; pictures count as a number of characters."""
    views = sum(len(image.views) for image in request.images)
    return sum(len(turn.text) for turn in request.turns) + _CHARACTERS_PER_VIEW * views


def _timed(judged: Judged, *, prepare_ms: float, queue_ms: float) -> Judged:
    return replace(judged, verdict=replace(judged.verdict, prepare_ms=prepare_ms, queue_ms=queue_ms))


def _shared(judged: Judged, *, queue_ms: float = 0.0) -> Judged:
    """A verdict that somebody else was judged for: its work is not counted again."""
    shared = replace(judged.verdict, prepare_ms=0.0, queue_ms=queue_ms, guard_ms=0.0, reused=True)
    return replace(judged, verdict=shared)
