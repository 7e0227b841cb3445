"""Threads in which untrusted pictures are decoded: in what order, how many at a time, and how many may wait.

Decoding a picture costs anything from microseconds to seconds, and its cost is known before. So cheap jobs have
threads of their own beside those for dear ones. Among jobs that wait, the one is next that would end first if every
client were served at an equal rate: of one client's jobs the cheapest, of several clients' that of the client for
which the least was done. Every few jobs the oldest is next, so none waits for ever. Where more work waits than can be
done in time, the client with the most of it is turned away. For one event loop.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, TypeVar

from safety_core.errors import DeadlineError, OverloadedError

Check = Callable[[], None]
"""Raises DeadlineError where nobody waits for a job's result any more; for jobs to call between their stages."""

_Result = TypeVar("_Result")

_TOO_LATE = "the pictures could not be decoded in time"

CHEAP_COST = 5_000_000
"""Most that a cheap job costs, in pixels: a tenth of a second on a common core."""

_OLDEST_EVERY = 4
"""So many jobs begin, and the next one is the oldest that waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[_Result]):
    """Something to do in a thread."""

    work: Callable[[Check], _Result]
    """What to do."""

    cost: int = 0
    """Roughly how long it takes, in pixels: 20 ns each."""

    memory: int = 0
    """Bytes that it needs while it runs."""


class Decoders:
    """Runs jobs in threads.

    Args:
        workers: threads for cheap jobs, and as many for dear ones.
        max_waiting: cost of all jobs of one kind that may wait.
        max_memory: bytes that all running jobs may need together; one alone always runs.
    """

    def __init__(self, *, workers: int, max_waiting: int, max_memory: int) -> None:
        self._cheap = _Lane(started_pool(workers, "decode"), workers, max_waiting)
        self._dear = _Lane(started_pool(workers, "decode-dear"), workers, max_waiting)
        self._max_memory = max_memory
        self._memory = 0
        self._served = _Shares()
        self._numbers = count()

    @property
    def depth(self) -> int:
        """Jobs that run or wait for a thread."""
        return sum(len(lane.waiting) + lane.running for lane in self._lanes)

    async def run(
        self, jobs: Sequence[Job[_Result]], *, client: str = "", deadline: float | None = None
    ) -> list[_Result]:
        """The jobs' results, in their order.

        All of them are called off as soon as one fails, the caller is cancelled, or the deadline passes: those that
        wait never begin, those that run are not waited for.

        Args:
            jobs: what to do.
            client: for whom.
            deadline: by when, by ``time.monotonic``.

        Raises:
            OverloadedError: too much waits already.
            DeadlineError: they were not done in time.
            Exception: what a job raises.
        """
        group = _Group(client, deadline)
        entries = [_Entry(job, group, next(self._numbers)) for job in jobs]
        for lane in self._lanes:
            self._admit(lane, [entry for entry in entries if self._lane_of(entry) is lane], client)
        try:
            async with in_time(deadline):
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
        """Begin nothing any more; what runs ends by itself."""
        for lane in self._lanes:
            lane.pool.shutdown(wait=False, cancel_futures=True)

    @property
    def _lanes(self) -> "tuple[_Lane, _Lane]":
        return self._cheap, self._dear

    def _lane_of(self, entry: "_Entry") -> "_Lane":
        return self._cheap if entry.job.cost <= CHEAP_COST else self._dear

    def _withdraw(self, entry: "_Entry") -> None:
        """Let nobody wait for a job, and let it not begin."""
        with suppress(ValueError):
            self._lane_of(entry).waiting.remove(entry)
        if not entry.result.done():
            entry.result.cancel()
        elif not entry.result.cancelled():
            entry.result.exception()  # seen: it is not to be complained of

    def _admit(self, lane: "_Lane", entries: "Sequence[_Entry]", client: str) -> None:
        """Make room for jobs by turning away dear requests of the client that has the most waiting.

        Of the client's own requests only one that costs at least twice as much makes room: plain pictures come through
        where many share an address.
        """
        added = sum(entry.job.cost for entry in entries)
        while lane.waiting and added and lane.waiting_cost + added > lane.max_waiting:
            clients: Counter[str] = Counter({client: added})
            groups: Counter[_Group] = Counter()  # oldest first
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
        """Begin as many jobs as there are free threads, and memory, for."""
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

    def _rank(self, entry: "_Entry") -> tuple[int, int]:
        """Jobs of the lowest rank begin first: that which ends first where clients are served at equal rates."""
        return self._served.of(entry.group.client) + entry.job.cost, entry.number

    def _begin(self, lane: "_Lane", entry: "_Entry") -> None:
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

        def run() -> None:
            result, error = None, None
            try:
                entry.group.check()
                result = entry.job.work(entry.group.check)
            except BaseException as exc:
                error = exc
            with suppress(RuntimeError):  # the loop has closed: nobody is left to wait
                loop.call_soon_threadsafe(ended, result, error)

        try:
            lane.pool.submit(run)
        except RuntimeError:  # it was closed
            ended(None, OverloadedError("the server is stopping"))


@asynccontextmanager
async def in_time(deadline: float | None) -> AsyncIterator[None]:
    """Ends what is done inside at a deadline, by ``time.monotonic``; never where None.

    Raises:
        DeadlineError: it passed.
    """
    try:
        async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
            yield
    except TimeoutError as exc:
        raise DeadlineError(_TOO_LATE) from exc


def started_pool(workers: int, name: str) -> ThreadPoolExecutor:
    """A pool whose threads run already: later there may not be the memory to start one."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    together = threading.Barrier(workers + 1)
    for _ in range(workers):
        pool.submit(together.wait)
    together.wait()
    return pool


@dataclass(slots=True, eq=False)
class _Group:
    """Jobs of one request."""

    client: str
    deadline: float | None
    abandoned: bool = False

    def check(self) -> None:
        """Raise DeadlineError where nobody waits any more; called from threads."""
        if self.abandoned or (self.deadline is not None and time.monotonic() > self.deadline):
            raise DeadlineError(_TOO_LATE)


@dataclass(slots=True, eq=False)
class _Entry:
    """A job that waits or runs."""

    job: Job[Any]
    group: _Group
    number: int
    result: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(slots=True, eq=False)
class _Lane:
    """Threads for one kind of jobs, and the jobs that wait for them, oldest first."""

    pool: Executor
    threads: int
    max_waiting: int
    waiting: list[_Entry] = field(default_factory=list)
    running: int = 0
    started: int = 0

    @property
    def waiting_cost(self) -> int:
        return sum(entry.job.cost for entry in self.waiting)


class _Shares:
    """How much was done for each client, those that come anew on a par with whom the least was done for lately."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._level = 0

    def of(self, client: str) -> int:
        return max(self._done.get(client, 0), self._level)

    def add(self, client: str, cost: int, *, in_turn: bool) -> None:
        """Something begins for a client; out of turn, it raises nobody's level but the client's own."""
        before = self.of(client)
        if in_turn:
            self._level = before
            self._done = {name: done for name, done in self._done.items() if done > before}
        self._done[client] = before + cost

    def forget(self) -> None:
        """Nobody waits: begin anew."""
        self._done.clear()
        self._level = 0
