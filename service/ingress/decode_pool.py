"""Decodes untrusted pictures in threads: bounds and orders the running and waiting jobs.

Decoding a picture takes from microseconds to seconds, and its cost is known in advance. So cheap jobs and expensive
jobs have separate threads. The next job is the one that would finish first if all clients were served at equal rates:
the cheapest of one client, and of several clients that of the least served. Every few jobs the oldest is next, so none
waits forever. If more work is waiting than can be done in time, jobs of the client with the most work are rejected. For
one event loop.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, TypeVar

from safety_core.engine.serving.cores import CoreShare
from safety_core.errors import DeadlineError, OverloadedError, SafeVLMError

Check = Callable[[], None]
"""Raises DeadlineError if a job's result is no longer needed; called by jobs between their stages."""

_Result = TypeVar("_Result")

_TOO_LATE = "the pictures could not be decoded in time"

CHEAP_COST = 5_000_000
"""Maximum cost in pixels of all cheap jobs of a request: a tenth of a second on a common core."""

_OLDEST_EVERY = 4
"""Interval in jobs at which the oldest waiting job is next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeJob(Generic[_Result]):
    """Something to do in a thread."""

    work: Callable[[Check], _Result]
    """What to do."""

    cost: int = 0
    """Estimated duration in pixels, 20 ns each."""

    memory: int = 0
    """Bytes that it needs while it runs."""


class DecodePool:
    """Runs jobs in threads.

    Args:
        workers: threads for cheap jobs.
        expensive_workers: threads for expensive ones.
        cores: told while an expensive job runs.
        max_waiting: total cost of waiting jobs of one kind.
        max_memory: total bytes for running jobs; a single job always runs.
    """

    def __init__(
        self, *, workers: int, expensive_workers: int, max_waiting: int, max_memory: int, cores: CoreShare | None = None
    ) -> None:
        self._cheap = _JobLane(start_pool(workers, "decode"), workers, max_waiting)
        self._expensive = _JobLane(start_pool(expensive_workers, "decode-expensive"), expensive_workers, max_waiting)
        self._cores = CoreShare() if cores is None else cores
        self._max_memory = max_memory
        self._memory = 0
        self._served = _ClientWork()
        self._numbers = count()

    @property
    def depth(self) -> int:
        """Jobs that run or wait for a thread."""
        return sum(len(lane.waiting) + lane.running for lane in self._lanes)

    async def run(
        self, jobs: Sequence[DecodeJob[_Result]], *, client: str = "", deadline: float | None = None
    ) -> list[_Result]:
        """Run jobs and return their results in order.

        All of them are cancelled as soon as one fails, the caller is cancelled, or the deadline passes: waiting jobs
        never start, running ones are not awaited.

        Args:
            jobs: the jobs of one request.
            client: key for fair queueing.
            deadline: latest end, by ``time.monotonic``.

        Raises:
            OverloadedError: too much work is waiting.
            DeadlineError: they were not done in time.
            Exception: what a job raises.
        """
        group = _JobGroup(client, deadline, sum(job.cost for job in jobs))
        entries = [_QueuedJob(job, group, next(self._numbers)) for job in jobs]
        for lane in self._lanes:
            self._admit(lane, [entry for entry in entries if self._lane_of(entry) is lane], client)
        try:
            async with enforce_deadline(deadline):
                for entry in entries:
                    self._lane_of(entry).waiting.append(entry)
                self._start()
                results: list[_Result] = await asyncio.gather(*(entry.result for entry in entries))
                return results
        finally:
            group.abandoned = True
            for entry in entries:
                self._withdraw(entry)
            self._start()

    def close(self) -> None:
        """Start no more jobs; running ones finish."""
        for lane in self._lanes:
            lane.pool.shutdown(wait=False, cancel_futures=True)

    @property
    def _lanes(self) -> "tuple[_JobLane, _JobLane]":
        return self._cheap, self._expensive

    def _lane_of(self, entry: "_QueuedJob") -> "_JobLane":
        return self._cheap if entry.group.cost <= CHEAP_COST else self._expensive

    def _withdraw(self, entry: "_QueuedJob") -> None:
        """Cancel a job, so that it does not start."""
        with suppress(ValueError):
            self._lane_of(entry).waiting.remove(entry)
        if not entry.result.done():
            entry.result.cancel()
        elif not entry.result.cancelled():
            entry.result.exception()  # seen: it is not to be complained of

    def _admit(self, lane: "_JobLane", entries: "Sequence[_QueuedJob]", client: str) -> None:
        """Make room for jobs by rejecting expensive requests of the client with the most waiting work.

        Of the client's own requests, only one that costs at least twice as much is rejected, so that plain pictures of
        many users at one address are decoded.
        """
        added = sum(entry.job.cost for entry in entries)
        while lane.waiting and added and lane.waiting_cost + added > lane.max_waiting:
            clients: Counter[str] = Counter({client: added})
            groups: Counter[_JobGroup] = Counter()  # oldest first
            for entry in lane.waiting:
                clients[entry.group.client] += entry.job.cost
                groups[entry.group] += entry.job.cost
            most = max(clients.values())
            heaviest = client if clients[client] == most else max(clients, key=lambda one: clients[one])
            of_client = [group for group in reversed(groups) if group.client == heaviest]
            dearest = max(of_client, key=lambda group: groups[group], default=None)
            if dearest is None or (heaviest == client and groups[dearest] < 2 * added):
                raise OverloadedError("too many pictures are waiting to be decoded")
            for entry in [entry for lane in self._lanes for entry in lane.waiting if entry.group is dearest]:
                self._lane_of(entry).waiting.remove(entry)
                if not entry.result.done():
                    entry.result.set_exception(OverloadedError("too many pictures are waiting to be decoded"))

    def _start(self) -> None:
        """Start as many jobs as threads and memory allow."""
        for lane in self._lanes:
            while lane.waiting and lane.running < lane.threads:
                oldest = lane.started % _OLDEST_EVERY == _OLDEST_EVERY - 1
                entry = lane.waiting[0] if oldest else min(lane.waiting, key=self._rank)
                if self._memory and self._memory + entry.job.memory > self._max_memory:
                    break
                lane.waiting.remove(entry)
                lane.started += 1
                self._served.add(entry.group.client, entry.job.cost, in_turn=not oldest)
                self._begin(lane, entry)
            if not any(lane.waiting or lane.running for lane in self._lanes):
                self._served.forget()

    def _rank(self, entry: "_QueuedJob") -> tuple[int, int]:
        """Sort key of a job: its end if clients were served at equal rates; the lowest starts first."""
        return self._served.of(entry.group.client) + entry.job.cost, entry.number

    def _begin(self, lane: "_JobLane", entry: "_QueuedJob") -> None:
        loop = asyncio.get_running_loop()
        lane.running += 1
        self._memory += entry.job.memory

        def ended(result: Any, error: BaseException | None) -> None:
            lane.running -= 1
            self._memory -= entry.job.memory
            if not entry.result.done():
                if error is None:
                    entry.result.set_result(result)
                else:
                    entry.result.set_exception(error)
            self._start()

        occupied = self._cores.occupied if lane is self._expensive else nullcontext

        def run() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                entry.group.check()
                with occupied():
                    result = entry.job.work(entry.group.check)
            except SafeVLMError as exc:  # whoever handles it needs none of the frames, and they hold the picture
                exc.__traceback__ = exc.__context__ = exc.__cause__ = None
                error = exc
            except BaseException as exc:
                error = exc
            with suppress(RuntimeError):  # the loop has closed: nobody is left to wait
                loop.call_soon_threadsafe(ended, result, error)

        try:
            lane.pool.submit(run)
        except RuntimeError:  # it was closed
            ended(None, OverloadedError("the server is stopping"))


@asynccontextmanager
async def enforce_deadline(deadline: float | None) -> AsyncIterator[None]:
    """Context manager that cancels its body at a deadline, by ``time.monotonic``; never if None.

    Raises:
        DeadlineError: the deadline passed.
    """
    try:
        async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
            yield
    except TimeoutError as exc:
        raise DeadlineError(_TOO_LATE) from exc


def start_pool(workers: int, name: str) -> ThreadPoolExecutor:
    """A pool whose threads are already running, because there may be no memory to start one later."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    together = threading.Barrier(workers + 1)
    for _ in range(workers):
        pool.submit(together.wait)
    together.wait()
    return pool


@dataclass(slots=True, eq=False)
class _JobGroup:
    """Jobs of one request."""

    client: str
    deadline: float | None
    cost: int
    abandoned: bool = False

    def check(self) -> None:
        """Raise DeadlineError if the result is no longer needed; called from threads."""
        if self.abandoned or (self.deadline is not None and time.monotonic() > self.deadline):
            raise DeadlineError(_TOO_LATE)


@dataclass(slots=True, eq=False)
class _QueuedJob:
    """A job that waits or runs."""

    job: DecodeJob[Any]
    group: _JobGroup
    number: int
    result: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(slots=True, eq=False)
class _JobLane:
    """Threads for one kind of jobs, and the jobs that wait for them, oldest first."""

    pool: Executor
    threads: int
    max_waiting: int
    waiting: list[_QueuedJob] = field(default_factory=list)
    running: int = 0
    started: int = 0

    @property
    def waiting_cost(self) -> int:
        return sum(entry.job.cost for entry in self.waiting)


class _ClientWork:
    """Work done for each client; new clients start at the level of the recently least served one."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._level = 0

    def of(self, client: str) -> int:
        return max(self._done.get(client, 0), self._level)

    def add(self, client: str, cost: int, *, in_turn: bool) -> None:
        """Record a started job of a client; out of turn, it raises only the client's own level."""
        before = self.of(client)
        if in_turn:
            self._level = before
            self._done = {name: done for name, done in self._done.items() if done > before}
        self._done[client] = before + cost

    def forget(self) -> None:
        """Reset all levels, because no job is waiting."""
        self._done.clear()
        self._level = 0
