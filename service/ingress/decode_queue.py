"""Jobs that decode images, and the order in which they start.

The next job is the job that would end first if all clients were served at equal rates: the cheapest job of a client,
and of the client that has been served least. At regular intervals the oldest job is next, so no job waits forever.
Knows no threads.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from safety_core.errors import DeadlineError, OverloadedError
from service.ingress.request_resources import require_time

Check = Callable[[], None]
"""Type of a function that raises DeadlineError if a job's result is no longer needed. Jobs call it between stages."""

_Result = TypeVar("_Result")

_OLDEST_EVERY = 4
"""Interval in jobs at which the oldest waiting job is next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeJob(Generic[_Result]):
    """Work for one thread."""

    work: Callable[[Check], _Result]
    """The function to call."""

    cost: int = 0
    """Estimated duration in pixels, 20 ns each."""

    memory: int = 0
    """Bytes that the job needs while it runs."""


@dataclass(slots=True, eq=False)
class JobGroup:
    """The jobs of one request."""

    client: str
    """Key for fair queueing."""

    deadline: float | None
    """Latest end, by ``time.monotonic``."""

    cost: int
    """Total cost of the jobs."""

    is_abandoned: bool = False
    """Whether the results are no longer needed."""

    def check(self) -> None:
        """Raise DeadlineError if the results are no longer needed; called from threads."""
        if self.is_abandoned:
            raise DeadlineError("the request was abandoned")
        require_time(self.deadline)


@dataclass(slots=True, eq=False)
class QueuedJob:
    """A job that waits or runs."""

    job: DecodeJob[Any]
    group: JobGroup
    number: int
    """Number in the order of arrival."""

    result: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def cancel(self) -> None:
        """Cancel the result, or mark its error as seen."""
        if not self.result.done():
            self.result.cancel()
        elif not self.result.cancelled():
            self.result.exception()


class ClientWork:
    """Work done for each client. A new client starts at the level of the least served client at the last job."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._level = 0

    def get(self, client: str) -> int:
        """Work done for a client, in pixels."""
        return max(self._done.get(client, 0), self._level)

    def add(self, client: str, cost: int, *, in_turn: bool) -> None:
        """Record a started job of a client; a job out of turn does not change the level of new clients."""
        before = self.get(client)
        if in_turn:
            self._level = before
            self._done = {name: done for name, done in self._done.items() if done > before}
        self._done[client] = before + cost

    def clear(self) -> None:
        """Reset all levels, because no job is waiting."""
        self._done.clear()
        self._level = 0


class DecodeQueue:
    """Jobs of one cost class that wait for a thread.

    Args:
        max_waiting: maximum total cost of waiting jobs.
        served: work done for each client, shared by all queues.
    """

    def __init__(self, max_waiting: int, served: ClientWork) -> None:
        self._max_waiting = max_waiting
        self._served = served
        self._waiting: list[QueuedJob] = []
        """Oldest first."""
        self._started = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: QueuedJob) -> None:
        """Add a job."""
        self._waiting.append(job)

    def remove(self, job: QueuedJob) -> None:
        """Remove a job, if it waits."""
        with suppress(ValueError):
            self._waiting.remove(job)

    def remove_group(self, group: JobGroup, error: Exception) -> None:
        """Remove the jobs of a request, which fail with an error."""
        for job in [job for job in self._waiting if job.group is group]:
            self._waiting.remove(job)
            if not job.result.done():
                job.result.set_exception(error)

    def find_displaced(self, jobs: Sequence[QueuedJob], client: str) -> JobGroup | None:
        """Find a waiting request to reject so that a client's new jobs fit into the queue; None if they fit already.

        It is the most expensive request of the client with the most waiting work. If that is the same client, the
        request must cost at least twice as much as the new jobs, so that ordinary images of many users behind one
        address are decoded.

        Raises:
            OverloadedError: the new jobs must be rejected instead.
        """
        added = sum(job.job.cost for job in jobs)
        if not (self._waiting and added) or self._waiting_cost + added <= self._max_waiting:
            return None
        clients: Counter[str] = Counter({client: added})
        groups: Counter[JobGroup] = Counter()  # oldest first
        for waiting in self._waiting:
            clients[waiting.group.client] += waiting.job.cost
            groups[waiting.group] += waiting.job.cost
        most = max(clients.values())
        heaviest = client if clients[client] == most else max(clients, key=lambda name: clients[name])
        of_client = [group for group in reversed(groups) if group.client == heaviest]
        most_expensive = max(of_client, key=lambda group: groups[group], default=None)
        if most_expensive is None or (heaviest == client and groups[most_expensive] < 2 * added):
            raise OverloadedError("too many images are waiting to be decoded")
        return most_expensive

    def pop(self, max_memory: int | None) -> QueuedJob | None:
        """Remove the next job to start.

        Args:
            max_memory: bytes that the job may need; None for any.

        Returns:
            None if no job waits, or the next one needs more memory.
        """
        if not self._waiting:
            return None
        is_oldest_next = self._started % _OLDEST_EVERY == _OLDEST_EVERY - 1
        job = self._waiting[0] if is_oldest_next else min(self._waiting, key=self._rank)
        if max_memory is not None and job.job.memory > max_memory:
            return None
        self._waiting.remove(job)
        self._started += 1
        self._served.add(job.group.client, job.job.cost, in_turn=not is_oldest_next)
        return job

    @property
    def _waiting_cost(self) -> int:
        return sum(job.job.cost for job in self._waiting)

    def _rank(self, job: QueuedJob) -> tuple[int, int]:
        """Sort key of a job: its end if clients were served at equal rates; the lowest key starts first."""
        return self._served.get(job.group.client) + job.job.cost, job.number
