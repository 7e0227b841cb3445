"""Awaitable access to a guard: verdicts and chat events, with deadlines, cancellation and back-pressure.

The interface between server and engine. One worker thread owns the model (``scheduler``, restarted by ``supervisor``);
callers await results, and no wait outlasts its deadline or its client. Identical requests share one verdict
(``shared_verdicts``). Knows no torch and no HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import nullcontext, suppress
from dataclasses import replace

from safety_core.engine.generation.outcomes import build_generated_reply, build_refused_reply, build_unguarded_reply
from safety_core.engine.guard_info import GuardInfo
from safety_core.engine.judging.conversation_decision import ConversationDecision, decide_conversation_async
from safety_core.engine.judging.image_questions import NO_IMAGE, build_no_image_reply, is_image_missing
from safety_core.engine.messages import ChatRequest, Delta, Event, GuardRequest, GuardVerdict, UnguardedReply
from safety_core.engine.protocols import GenerationRequestLike, GuardLike
from safety_core.engine.serving.cores import CoreShare
from safety_core.engine.serving.engine_config import EngineConfig
from safety_core.engine.serving.observer import EngineObserver
from safety_core.engine.serving.queueing.backlog import bound_retry_after
from safety_core.engine.serving.queueing.prepare_queue import PrepareQueue
from safety_core.engine.serving.queueing.reading_backlog import ReadingBacklog
from safety_core.engine.serving.queueing.rejections import Rejections
from safety_core.engine.serving.queueing.token_budget import TokenBudget
from safety_core.engine.serving.reply_readers import ReplyReaders
from safety_core.engine.serving.request_costs import (
    EXPENSIVE_CHARACTERS,
    estimate_least_work,
    estimate_positions,
    estimate_preparation,
)
from safety_core.engine.serving.scheduler import Scheduler
from safety_core.engine.serving.shared_verdicts import TIMEOUT_MESSAGE, SharedTask, SharedVerdicts, wait_until
from safety_core.engine.serving.supervisor import Supervisor
from safety_core.engine.serving.verdict_cache import VerdictCache
from safety_core.engine.work import JudgedRequest, PreparedRequest, Work
from safety_core.errors import DeadlineError, JudgeOnlyError, OverloadedError, StoppedError


class AsyncGuard:
    """Runs a guard for an event loop; create, use and close it in that loop.

    Args:
        guard: the guard, whose model is used by the worker's thread only.
        preparers: threads in which requests are prepared.
        observer: records the work.
        config: limits.
        on_death: called in the event loop when the worker has died, before it is restarted.
        cores: the cores shared with other long computations of the process.
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
        self._on_death = on_death
        self._loop = asyncio.get_running_loop()
        self._replies = ReplyReaders(timeout_s=self._config.reply_timeout_s)
        self._rejections = Rejections()
        self._preparing = PrepareQueue(preparers, slots=self._config.prepare_slots)
        self._observer = observer
        self._reads_lettering = guard.info.reads_lettering
        self._reading = ReadingBacklog(max(1, self._config.prepare_slots - 1))
        self._cores = CoreShare() if cores is None else cores
        self._scheduler = Scheduler(
            guard,
            self._replies.deliver,
            observer,
            max_requests=self._config.max_requests,
            max_batch=self._config.max_batch,
            max_wait_s=self._config.max_wait_s,
            max_prefill=self._config.max_prefill,
            horizon_s=self._config.verdict_timeout_s,
            client_share=self._config.client_share,
            cores=self._cores,
        )
        self._verdicts = SharedVerdicts(
            self._judge_shared,
            VerdictCache(self._config.cache_bytes),
            observer,
            get_fingerprint=lambda: guard.fingerprint,
            extend=self._scheduler.verdicts.extend,
        )
        self._token_budget = TokenBudget(
            max_tokens_in_flight=self._config.max_tokens_in_flight,
            client_share=self._config.client_share,
            get_backlog_s=lambda: self._scheduler.verdicts.backlog_s,
        )
        self._supervisor = Supervisor(
            self._scheduler.run, self._handle_death, first_pause_s=self._config.restart_pause_s, name="guard"
        )

    @property
    def info(self) -> GuardInfo:
        """The checkpoint and device of the guard."""
        return self._guard.info

    @property
    def depth(self) -> int:
        """Number of requests that wait for a verdict."""
        return self._scheduler.verdicts.depth

    @property
    def waiting_replies(self) -> int:
        """Number of chats that wait for their reply to be started."""
        return self._scheduler.waiting_replies

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return self._scheduler.idle

    @property
    def alive(self) -> bool:
        """Whether the worker runs, and its current turn has not taken longer than ``verdict_timeout_s``."""
        if self._scheduler.down or not self._supervisor.alive:
            return False
        return self._scheduler.turn_s <= self._config.verdict_timeout_s

    @property
    def deaths(self) -> int:
        """Number of times that the worker died."""
        return self._supervisor.deaths

    @property
    def exhausted(self) -> bool:
        """Whether a verdict or a reply ran out of memory and none has succeeded since."""
        return self._scheduler.exhausted

    def estimate_retry_after_s(self) -> float:
        """Seconds after which a request rejected now is likely to be accepted, estimated from the waiting work."""
        return bound_retry_after(self._scheduler.verdicts.backlog_s)

    async def assess(self, request: GuardRequest, *, client: str = "", deadline: float | None = None) -> GuardVerdict:
        """Judge a request without generating a reply.

        Args:
            request: the request to judge.
            client: key for fair queueing; clients share the queue and the model's time evenly.
            deadline: latest time of the verdict, by ``time.monotonic``; ``verdict_timeout_s`` from now if None.

        Raises:
            InputError: the request is invalid.
            OverloadedError: the verdict would come too late because of the waiting work; carries ``retry_after_s``.
            DeadlineError: there is no verdict in time.
            ExhaustedError: there was not enough memory.
            StoppedError: the engine is closing, or its worker died.
        """
        decision = await self._decide(request, client, self._compute_deadline(deadline))
        return decision.judged.verdict

    def require_room(self, images: int, *, client: str = "", deadline: float | None = None) -> None:
        """Reject a request by its number of images, before decoding, if its verdict would come too late.

        Raises:
            OverloadedError: as :meth:`assess`.
            DeadlineError: the deadline has passed.
        """
        self._rejections.require_none(client, images)
        least = Work(requests=1, views=images)
        self._scheduler.require_room(GuardRequest(), least, deadline=self._compute_deadline(deadline), client=client)

    async def check_canary(self) -> str | None:
        """Judge the canary before all other requests; returns what is wrong with its verdict, or None.

        Raises as :meth:`assess` does, but never OverloadedError.
        """
        deadline = self._compute_deadline(None)
        work = self._loop.create_task(self._judge(self._guard.canary, "", deadline, urgent=True))
        judged = await wait_until(deadline, work)
        return self._guard.find_canary_failure(judged.verdict)

    async def stream(
        self, request: ChatRequest, *, client: str = "", deadline: float | None = None
    ) -> AsyncGenerator[Event, None]:
        """Judge a chat, then answer or refuse it, event by event; arguments are those of :meth:`assess`.

        Closing the generator early (the client disconnected) removes the request from the queue or stops its reply
        before the next token. Raises as :meth:`assess` does, GenerationError, JudgeOnlyError, and OverloadedError also
        if accepted chats have used up the token budget.
        """
        if not self._guard.info.generates:
            raise JudgeOnlyError("this guard was loaded to judge only")
        due = self._compute_deadline(deadline)
        positions = estimate_positions(request, positions_per_image=self._guard.info.positions_per_image)
        with self._token_budget.reserve(positions, client):
            decision = await self._decide(request, client, due)
            judged, readable = decision.judged, decision.request
            if judged.verdict.refusal is not None:
                yield judged.verdict
                yield Delta(text=judged.verdict.refusal, refusal=True)
                yield build_refused_reply(judged.verdict)
                return
            assert isinstance(readable, ChatRequest), "a part of a chat is a chat"
            if is_image_missing(readable):
                yield judged.verdict
                yield Delta(text=NO_IMAGE)
                yield build_no_image_reply(judged.verdict)
                return
            generation_request = self._guard.create_generation_request(judged, readable)
            with self._replies.request(self._scheduler, generation_request, client) as reply:
                yield judged.verdict  # the reply is started while its reader receives the verdict
                while True:
                    update = await reply.read()
                    if update.text:
                        yield Delta(text=update.text)
                    if update.sequence is not None:
                        queue_ms = judged.verdict.queue_ms + reply.queue_ms
                        yield build_generated_reply(
                            judged.verdict, update.sequence, queue_ms=queue_ms, generate_ms=reply.generate_ms
                        )
                        return

    async def stream_unguarded(
        self, request: ChatRequest, *, client: str = "", deadline: float | None = None
    ) -> AsyncGenerator[Delta | UnguardedReply, None]:
        """Answer a chat by the bare language model, event by event, without a verdict and without the output rail.

        It waits, counts and is cancelled like a guarded chat. Arguments are those of :meth:`assess`; the deadline is
        that of preparing the request. Raises as :meth:`stream` does.
        """
        due = self._compute_deadline(deadline)
        positions = estimate_positions(request, positions_per_image=self._guard.info.positions_per_image)
        with self._token_budget.reserve(positions, client):
            generation_request = await wait_until(due, self._prepare_unguarded(request, client))
            with self._replies.request(self._scheduler, generation_request, client) as reply:
                while True:
                    update = await reply.read()
                    if update.text:
                        yield Delta(text=update.text)
                    if update.sequence is not None:
                        yield build_unguarded_reply(
                            update.sequence, queue_ms=reply.queue_ms, generate_ms=reply.generate_ms
                        )
                        return

    async def close(self, *, timeout_s: float) -> bool:
        """Accept no more work and fail all requests; returns whether the worker ended in time."""
        self._supervisor.stop()
        self._scheduler.close()
        ended = await asyncio.to_thread(self._supervisor.join, timeout_s)
        if not ended:  # a stuck worker does not fail its requests itself
            self._scheduler.fail_all(StoppedError("the server is stopping"))
        return ended

    # --- verdicts ------------------------------------------------------------------------------------------------

    async def _decide(self, request: GuardRequest, client: str, deadline: float) -> ConversationDecision:
        """Decide on a conversation; one deadline covers all of its judgements."""
        return await decide_conversation_async(request, lambda part: self._verdicts.get(part, client, deadline))

    def _compute_deadline(self, deadline: float | None) -> float:
        """Compute the deadline of a verdict; raises DeadlineError if it has passed."""
        now = time.monotonic()
        if deadline is None:
            return now + self._config.verdict_timeout_s
        if deadline <= now:
            raise DeadlineError(TIMEOUT_MESSAGE)
        return deadline

    async def _judge_shared(self, request: GuardRequest, deadline: float, *, shared: SharedTask) -> JudgedRequest:
        return await self._judge(request, shared.client, deadline, shared=shared)

    async def _judge(
        self,
        request: GuardRequest,
        client: str,
        deadline: float,
        *,
        shared: SharedTask | None = None,
        urgent: bool = False,
    ) -> JudgedRequest:
        """Prepare a request and queue it for its verdict."""
        started = time.perf_counter()
        verdicts, least = self._scheduler.verdicts, estimate_least_work(request)
        pictures = len(request.images) if self._reads_lettering else 0
        if not urgent:  # preparing a request that will be rejected anyway would take time from other requests
            self._reading.require_room(client, pictures, deadline)
            self._rejections.require_none(client, len(request.images), least.tokens)
            self._scheduler.require_room(request, least, deadline=deadline, client=client)
        verdicts.expect()
        cost = estimate_preparation(request, reads_lettering=self._reads_lettering)
        is_expensive = cost > EXPENSIVE_CHARACTERS

        def prepare() -> PreparedRequest:
            with self._cores.occupy() if is_expensive else nullcontext():
                return self._prepare(request, None if urgent else client)

        try:
            with self._reading.add(client, pictures):
                prepared = await self._preparing.run(
                    prepare, order=lambda: (not urgent, verdicts.get_served_s(client), cost), expensive=is_expensive
                )
        except BaseException:
            verdicts.cancel_expected()
            raise
        self._record_readings(prepared)
        queued = time.perf_counter()
        try:
            future = self._scheduler.request_verdict(
                prepared,
                deadline=deadline if shared is None else shared.deadline,
                expected=True,
                client=client,
                urgent=urgent,
            )
        except OverloadedError as exc:
            self._rejections.add(client, len(request.images), least.tokens, exc.retry_after_s)
            raise
        if shared is not None:
            shared.future = future
        judged = await asyncio.wrap_future(future)
        waited_ms = 1000 * (time.perf_counter() - queued) - judged.verdict.guard_ms
        verdict = replace(judged.verdict, prepare_ms=1000 * (queued - started), queue_ms=max(0.0, waited_ms))
        return replace(judged, verdict=verdict)

    def _prepare(self, request: GuardRequest, client: str | None) -> PreparedRequest:
        """Prepare a request and charge its client, if there is one; called in a thread."""
        began, reading_s = time.thread_time(), 0.0
        try:
            prepared = self._guard.prepare(request)
            reading_s = sum(reading.seconds for reading in prepared.readings)  # in other threads
            return prepared
        finally:
            if client is not None:
                self._scheduler.verdicts.charge_client(client, time.thread_time() - began + reading_s)

    def _record_readings(self, prepared: PreparedRequest) -> None:
        """Record the pictures that were read for a request."""
        for reading in prepared.readings:
            if not reading.kept:
                if reading.seconds:  # otherwise it never began, which says nothing about how long one takes
                    self._reading.record(reading.seconds)
                self._observer.record_reading(reading.outcome.value, reading.seconds)

    # --- unguarded replies ---------------------------------------------------------------------------------------

    async def _prepare_unguarded(self, request: ChatRequest, client: str) -> GenerationRequestLike:
        """Prepare a chat for the bare language model in a thread, in the order of the requests to be judged."""
        verdicts, cost = self._scheduler.verdicts, estimate_preparation(request)
        is_expensive = cost > EXPENSIVE_CHARACTERS

        def prepare() -> GenerationRequestLike:
            began = time.thread_time()
            try:
                with self._cores.occupy() if is_expensive else nullcontext():
                    return self._guard.create_unguarded_request(request)
            finally:
                verdicts.charge_client(client, time.thread_time() - began)

        return await self._preparing.run(
            prepare, order=lambda: (True, verdicts.get_served_s(client), cost), expensive=is_expensive
        )

    # --- the worker ----------------------------------------------------------------------------------------------

    def _handle_death(self, exc: BaseException) -> None:
        """Report the death of the worker; called in its thread."""
        self._scheduler.fail_all(StoppedError("the worker died"))
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_death)
