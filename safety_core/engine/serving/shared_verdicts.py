"""Shares one verdict among identical requests: while it is in progress and, from a cache, afterwards.

Use from one event loop only. Does not know how a verdict is reached.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.engine.serving.observer import EngineObserver
from safety_core.engine.serving.verdict_cache import VerdictCache, compute_key
from safety_core.engine.work import JudgedRequest
from safety_core.errors import DeadlineError, OverloadedError

_Result = TypeVar("_Result")

TIMEOUT_MESSAGE = "the model took longer than the operator allows"


@dataclass(slots=True, eq=False)
class SharedTask:
    """A verdict in progress, shared by its waiters."""

    client: str
    """The client of the first request."""

    deadline: float
    """The latest deadline of all waiters."""

    waiters: int = 0
    """Number of waiters."""

    future: Future[JudgedRequest] | None = None
    """The entry in the queue, once there is one."""


class RequestJudge(Protocol):
    """Reaches the verdict on a request."""

    def __call__(self, request: GuardRequest, deadline: float, *, shared: SharedTask) -> Awaitable[JudgedRequest]:
        """Judge for the client of ``shared``, and set its ``future``.

        Args:
            request: the request.
            deadline: the deadline of the first waiter, which determines whether the request is accepted at all.
            shared: the task, whose deadline may be extended until the verdict is reached.
        """


class SharedVerdicts:
    """Verdicts that are cached or in progress.

    Args:
        judge: reaches a verdict.
        cache: the verdicts already reached.
        observer: records hits and misses.
        get_fingerprint: returns the guard's fingerprint, which is part of every key.
        extend: extends the deadline of an entry in the queue.
    """

    def __init__(
        self,
        judge: RequestJudge,
        cache: VerdictCache,
        observer: EngineObserver,
        *,
        get_fingerprint: Callable[[], str],
        extend: Callable[[Future[JudgedRequest], float], None],
    ) -> None:
        self._judge = judge
        self._cache = cache
        self._observer = observer
        self._get_fingerprint = get_fingerprint
        self._extend = extend
        self._running: dict[str, tuple[SharedTask, asyncio.Task[JudgedRequest]]] = {}

    async def get(self, request: GuardRequest, client: str, deadline: float) -> JudgedRequest:
        """Return the verdict on a request: cached, shared with a running request, or new.

        Raises:
            DeadlineError: there is no verdict in time.
            Exception: any exception of ``judge``.
        """
        started = time.perf_counter()
        key = compute_key(request, self._get_fingerprint())
        cached = self._cache.get(key)
        if cached is None and not isinstance(request, ChatRequest):
            # The verdict on a chat contains everything that a classification needs.
            cached = self._cache.get(compute_key(request, self._get_fingerprint(), answerable=True))
        if cached is not None:
            self._observer.record_cache("hit")
            return cached
        running = self._running.get(key)
        self._observer.record_cache("miss" if running is None else "joined")
        if running is not None:
            shared, task = running
            self._extend_deadline(shared, deadline)
            try:
                judged = await self._wait(shared, task, deadline)
            except OverloadedError:
                if shared.client == client:
                    raise
                # The first client exceeded its share; this client may not have.
            else:
                return _mark_reused(judged, queue_ms=1000 * (time.perf_counter() - started))
        shared, task = self._running.get(key) or self._start(key, request, client, deadline)
        return await self._wait(shared, task, deadline)

    def _start(
        self, key: str, request: GuardRequest, client: str, deadline: float
    ) -> tuple[SharedTask, asyncio.Task[JudgedRequest]]:
        """Start a verdict that later requests may share."""
        shared = SharedTask(client, deadline)

        async def judge() -> JudgedRequest:
            return await self._judge(request, deadline, shared=shared)

        def finish(task: asyncio.Task[JudgedRequest]) -> None:
            if self._running.get(key) is running:
                del self._running[key]
            if not task.cancelled() and task.exception() is None:
                self._cache.put(key, _mark_reused(task.result()))

        task = asyncio.get_running_loop().create_task(judge())
        running = self._running[key] = shared, task
        task.add_done_callback(finish)
        return running

    async def _wait(self, shared: SharedTask, task: asyncio.Task[JudgedRequest], deadline: float) -> JudgedRequest:
        """Await a shared verdict with a timeout; the last waiter to leave cancels it."""
        shared.waiters += 1
        try:
            return await wait_until(deadline, asyncio.shield(task))
        finally:
            shared.waiters -= 1
            if not shared.waiters and not task.done():
                task.cancel()
                # A cancelled task must not be joined before it has ended.
                self._running = {key: other for key, other in self._running.items() if other[0] is not shared}

    def _extend_deadline(self, shared: SharedTask, deadline: float) -> None:
        """Extend the deadline for a new waiter, whose deadline may be the latest."""
        shared.deadline = max(shared.deadline, deadline)
        if shared.future is not None:
            self._extend(shared.future, shared.deadline)


async def wait_until(deadline: float, work: Awaitable[_Result]) -> _Result:
    """Await some work; raises DeadlineError at the deadline, a time of ``time.monotonic``."""
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            return await work
    except TimeoutError as exc:
        raise DeadlineError(TIMEOUT_MESSAGE) from exc


def _mark_reused(judged: JudgedRequest, *, queue_ms: float = 0.0) -> JudgedRequest:
    """Mark a verdict that was reached for another request, so that its work is not counted again."""
    reused = replace(judged.verdict, prepare_ms=0.0, queue_ms=queue_ms, guard_ms=0.0, reused=True)
    return replace(judged, verdict=reused)
