"""Decodes untrusted images in threads, and bounds the running and waiting jobs.

Decoding an image takes from microseconds to seconds, and its cost is known in advance. So cheap jobs and expensive jobs
have separate threads. If more work is waiting than can be done in time, requests of the client with the most work are
rejected. For one event loop.
"""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from safety_core.engine.serving.cores import CoreShare
from safety_core.errors import OverloadedError, SafeVLMError
from service.ingress.decode_queue import ClientWork, DecodeJob, DecodeQueue, JobGroup, QueuedJob
from service.ingress.request_resources import enforce_deadline

_Result = TypeVar("_Result")

CHEAP_COST = 5_000_000
"""Maximum cost in pixels of all cheap jobs of a request: a tenth of a second on a common core."""


@dataclass(slots=True)
class _Lane:
    """Threads for one cost class of jobs, and the jobs that wait for these threads."""

    executor: Executor
    threads: int
    queue: DecodeQueue
    running: int = 0


class DecodePool:
    """Runs decode jobs in threads.

    Args:
        workers: threads for cheap jobs.
        expensive_workers: threads for expensive jobs.
        cores: shared with the model, which uses fewer cores while an expensive job runs.
        max_waiting: maximum total cost of the waiting jobs of one cost class.
        max_memory: maximum total bytes of running jobs; a single job always runs.
    """

    def __init__(
        self, *, workers: int, expensive_workers: int, max_waiting: int, max_memory: int, cores: CoreShare | None = None
    ) -> None:
        self._served = ClientWork()
        self._cheap = _Lane(start_pool(workers, "decode"), workers, DecodeQueue(max_waiting, self._served))
        self._expensive = _Lane(
            start_pool(expensive_workers, "decode-expensive"), expensive_workers, DecodeQueue(max_waiting, self._served)
        )
        self._lanes = (self._cheap, self._expensive)
        self._cores = CoreShare() if cores is None else cores
        self._max_memory = max_memory
        self._memory = 0
        self._numbers = count()

    @property
    def depth(self) -> int:
        """Jobs that run or wait for a thread."""
        return sum(len(lane.queue) + lane.running for lane in self._lanes)

    async def run(
        self, jobs: Sequence[DecodeJob[_Result]], *, client: str = "", deadline: float | None = None
    ) -> list[_Result]:
        """Run the jobs of one request and return their results in order.

        All of them are cancelled as soon as one fails, the caller is cancelled, or the deadline passes: waiting jobs
        never start, running ones are not awaited.

        Args:
            jobs: the jobs of one request.
            client: key for fair queueing.
            deadline: latest end, by ``time.monotonic``.

        Raises:
            OverloadedError: too much work is waiting.
            DeadlineError: the jobs were not done in time.
            Exception: any error of a job.
        """
        group = JobGroup(client, deadline, sum(job.cost for job in jobs))
        lane = self._cheap if group.cost <= CHEAP_COST else self._expensive
        queued = [QueuedJob(job, group, next(self._numbers)) for job in jobs]
        self._make_room(lane, queued, client)
        try:
            async with enforce_deadline(deadline):
                for job in queued:
                    lane.queue.add(job)
                self._start_jobs()
                results: list[_Result] = await asyncio.gather(*(job.result for job in queued))
                return results
        finally:
            group.is_abandoned = True
            for job in queued:
                lane.queue.remove(job)
                job.cancel()
            self._start_jobs()

    def close(self) -> None:
        """Stop starting jobs; running jobs finish."""
        for lane in self._lanes:
            lane.executor.shutdown(wait=False, cancel_futures=True)

    def _make_room(self, lane: _Lane, jobs: Sequence[QueuedJob], client: str) -> None:
        """Reject waiting requests until the new jobs fit into a queue; raises OverloadedError."""
        while (displaced := lane.queue.find_displaced(jobs, client)) is not None:
            lane.queue.remove_group(displaced, OverloadedError("too many images are waiting to be decoded"))

    def _start_jobs(self) -> None:
        """Start as many jobs as threads and memory allow."""
        for lane in self._lanes:
            while lane.running < lane.threads:
                job = lane.queue.pop(self._max_memory - self._memory if self._memory else None)
                if job is None:
                    break
                self._start(lane, job)
        if not self.depth:
            self._served.clear()

    def _start(self, lane: _Lane, queued: QueuedJob) -> None:
        loop = asyncio.get_running_loop()
        lane.running += 1
        self._memory += queued.job.memory

        def finish(result: Any, error: BaseException | None) -> None:
            lane.running -= 1
            self._memory -= queued.job.memory
            if not queued.result.done():
                if error is None:
                    queued.result.set_result(result)
                else:
                    queued.result.set_exception(error)
            self._start_jobs()

        occupied = self._cores.occupy if lane is self._expensive else nullcontext

        def run() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                queued.group.check()
                with occupied():
                    result = queued.job.work(queued.group.check)
            except SafeVLMError as exc:  # handlers do not need the frames, which reference the image
                exc.__traceback__ = exc.__context__ = exc.__cause__ = None
                error = exc
            except BaseException as exc:
                error = exc
            with suppress(RuntimeError):  # the loop is closed: nothing waits for the result
                loop.call_soon_threadsafe(finish, result, error)

        try:
            lane.executor.submit(run)
        except RuntimeError:  # the executor is closed
            finish(None, OverloadedError("the server is stopping"))


def start_pool(workers: int, name: str) -> ThreadPoolExecutor:
    """Create a pool whose threads are already running, because there may be no memory to start one later."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    started = threading.Barrier(workers + 1)
    for _ in range(workers):
        pool.submit(started.wait)
    started.wait()
    return pool
