"""The order in which pictures are decoded, who is turned away, and what is called off; threads wait for events only."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from safety_core.engine.serving.cores import CoreShare
from safety_core.errors import DeadlineError, OverloadedError
from service.ingress.decode_pool import CHEAP_COST, DecodePool, start_pool
from service.ingress.decode_queue import Check, DecodeJob

pytestmark = pytest.mark.anyio

DEAR = CHEAP_COST + 1


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Blocked:
    """A job that runs until it is let go."""

    def __init__(self) -> None:
        self.began, self.free = threading.Event(), threading.Event()

    def __call__(self, check: Check) -> str:
        self.began.set()
        assert self.free.wait(20)
        check()
        return "done"


@asynccontextmanager
async def decode_pool(
    *, workers: int = 1, max_waiting: int = 10 * DEAR, max_memory: int = 100
) -> AsyncIterator[DecodePool]:
    made = DecodePool(workers=workers, expensive_workers=workers, max_waiting=max_waiting, max_memory=max_memory)
    try:
        yield made
    finally:
        made.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


async def busy(made: DecodePool, cost: int = DEAR, memory: int = 0) -> tuple[Blocked, asyncio.Task[list[str]]]:
    """A job that keeps the one thread for its kind."""
    blocked = Blocked()
    task = asyncio.create_task(made.run([DecodeJob(work=blocked, cost=cost, memory=memory)], client="first"))
    await until(blocked.began.is_set)
    return blocked, task


async def test_a_core_is_occupied_while_an_expensive_job_runs() -> None:
    cores = CoreShare(4)
    made = DecodePool(workers=1, expensive_workers=1, max_waiting=10 * DEAR, max_memory=100, cores=cores)
    for cost, free in ((DEAR, 3), (1, 4)):
        blocked, task = await busy(made, cost)
        assert cores.free == free
        blocked.free.set()
        await task
        assert cores.free == 4
    made.close()


async def order_of(made: DecodePool, wanted: list[tuple[str, int]]) -> list[int]:
    """Numbers of jobs, given by client and cost, in the order in which they run once the only thread is free."""
    ran: list[int] = []
    blocked, first = await busy(made)
    tasks = []
    for number, (client, cost) in enumerate(wanted):
        job = DecodeJob(work=lambda check, number=number: ran.append(number), cost=cost)  # type: ignore[misc]
        tasks.append(asyncio.create_task(made.run([job], client=client)))
        await asyncio.sleep(0)
    await until(lambda: made.depth == len(wanted) + 1)
    blocked.free.set()
    await asyncio.gather(first, *tasks)
    return ran


def _same(number: int, check: Check) -> int:
    return number


async def test_results_come_in_the_order_of_the_jobs() -> None:
    async with decode_pool(workers=2) as made:
        jobs = [DecodeJob(work=partial(_same, number), cost=cost) for number, cost in enumerate((DEAR, 1, DEAR))]
        assert await made.run(jobs) == [0, 1, 2]
        assert made.depth == 0
        assert await made.run([]) == []


async def test_cheap_jobs_do_not_wait_for_dear_ones() -> None:
    async with decode_pool() as made:
        blocked, task = await busy(made)
        assert await made.run([DecodeJob(work=lambda check: "cheap", cost=CHEAP_COST)], client="first") == ["cheap"]
        assert not task.done()
        blocked.free.set()
        assert await task == ["done"]


async def test_of_one_client_the_cheapest_job_is_next() -> None:
    async with decode_pool() as made:
        ran = await order_of(made, [("a", DEAR + 9), ("a", DEAR + 8), ("a", DEAR + 1)])
        assert ran == [2, 1, 0]


async def test_clients_take_turns_whatever_one_of_them_queues() -> None:
    async with decode_pool(max_waiting=100 * DEAR) as made:
        ran = await order_of(made, [("hog", DEAR)] * 8 + [("plain", DEAR)] * 2)
        assert ran.index(8) <= 2
        assert ran.index(9) <= 5


async def test_no_job_waits_for_ever() -> None:
    async with decode_pool(max_waiting=1000 * DEAR) as made:
        ran = await order_of(made, [("a", 2 * DEAR), *[("a", DEAR)] * 20])
        assert ran.index(0) <= 4


async def test_more_work_than_can_be_done_is_turned_away_at_once() -> None:
    async with decode_pool(max_waiting=3 * DEAR) as made:
        blocked, task = await busy(made)
        waiting = asyncio.create_task(made.run([DecodeJob(work=lambda check: 1, cost=DEAR)] * 3, client="first"))
        await until(lambda: made.depth == 4)
        with pytest.raises(OverloadedError):
            await made.run([DecodeJob(work=lambda check: 1, cost=DEAR)] * 2, client="first")
        assert made.depth == 4
        blocked.free.set()
        assert (await task, await waiting) == (["done"], [1, 1, 1])


async def test_the_client_with_the_most_work_makes_room_for_others() -> None:
    async with decode_pool(max_waiting=4 * DEAR) as made:
        blocked, task = await busy(made)
        hog = [
            asyncio.create_task(made.run([DecodeJob(work=lambda check: 1, cost=DEAR)] * 2, client="hog")) for _ in "12"
        ]
        await until(lambda: made.depth == 5)
        plain = asyncio.create_task(made.run([DecodeJob(work=lambda check: "plain", cost=DEAR)], client="plain"))
        with pytest.raises(OverloadedError):
            await hog[1]
        blocked.free.set()
        assert (await plain, await hog[0], await task) == (["plain"], [1, 1], ["done"])
        assert made.depth == 0


async def test_a_plain_picture_comes_through_where_dear_ones_of_the_same_client_fill_the_queue() -> None:
    async with decode_pool(max_waiting=4 * DEAR) as made:
        blocked, task = await busy(made)
        hog = [
            asyncio.create_task(made.run([DecodeJob(work=lambda check: 1, cost=DEAR)] * 2, client="same")) for _ in "12"
        ]
        await until(lambda: made.depth == 5)
        plain = asyncio.create_task(made.run([DecodeJob(work=lambda check: "plain", cost=DEAR)], client="same"))
        with pytest.raises(OverloadedError):
            await hog[1]
        with pytest.raises(OverloadedError):
            await made.run([DecodeJob(work=lambda check: 1, cost=DEAR)] * 2, client="same")
        blocked.free.set()
        assert (await plain, await hog[0], await task) == (["plain"], [1, 1], ["done"])


async def test_one_request_alone_is_served_whatever_it_costs() -> None:
    async with decode_pool(max_waiting=1, max_memory=1) as made:
        assert await made.run([DecodeJob(work=lambda check: 1, cost=9 * DEAR, memory=1000)] * 3) == [1, 1, 1]


async def test_jobs_run_together_only_where_there_is_memory_for_them() -> None:
    async with decode_pool(workers=2, max_memory=100) as made:
        blocked, task = await busy(made, memory=60)
        ran: list[int] = []
        second = asyncio.create_task(made.run([DecodeJob(work=lambda check: ran.append(1), cost=DEAR, memory=60)]))
        await until(lambda: made.depth == 2)
        await made.run([DecodeJob(work=lambda check: None, cost=1, memory=0)])
        assert ran == []
        blocked.free.set()
        await asyncio.gather(task, second)
        assert ran == [1]


async def test_at_a_deadline_nothing_is_waited_for_and_nothing_begins() -> None:
    async with decode_pool() as made:
        blocked, ran = Blocked(), list[int]()
        waiting: DecodeJob[Any] = DecodeJob(work=lambda check: ran.append(1), cost=DEAR)
        running: DecodeJob[Any] = DecodeJob(work=blocked, cost=DEAR)
        jobs = [running, *[waiting] * 3]
        late = asyncio.create_task(made.run(jobs, deadline=time.monotonic() + 0.05))
        with pytest.raises(DeadlineError):
            await late
        assert made.depth == 1  # what runs cannot be stopped
        blocked.free.set()
        await until(lambda: made.depth == 0)
        assert ran == []
        with pytest.raises(DeadlineError):
            await made.run([DecodeJob(work=lambda check: ran.append(1), cost=1)], deadline=time.monotonic() - 1)
        assert ran == []


async def test_who_leaves_takes_the_waiting_jobs_along_and_running_ones_hear_of_it() -> None:
    async with decode_pool() as made:
        blocked, outcome, ran = Blocked(), list[type[BaseException]](), list[int]()

        def run(check: Check) -> None:
            try:
                blocked(check)
            except DeadlineError as exc:
                outcome.append(type(exc))
                raise

        jobs = [DecodeJob(work=run, cost=DEAR), DecodeJob(work=lambda check: ran.append(1), cost=DEAR)]
        task = asyncio.create_task(made.run(jobs))
        await until(blocked.began.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        blocked.free.set()
        await until(lambda: made.depth == 0)
        assert (outcome, ran) == ([DeadlineError], [])


@pytest.mark.parametrize("fault", [ValueError("x"), MemoryError()])
async def test_a_job_that_fails_calls_its_siblings_off(fault: Exception) -> None:
    async with decode_pool() as made:
        ran: list[int] = []

        def fail(check: Check) -> None:
            raise fault

        with pytest.raises(type(fault)):
            await made.run(
                [DecodeJob(work=fail, cost=DEAR), *[DecodeJob(work=lambda check: ran.append(1), cost=DEAR + 1)] * 2]
            )
        await until(lambda: made.depth == 0)
        assert await made.run([DecodeJob(work=lambda check: "next", cost=DEAR)]) == ["next"]


def test_a_pool_has_all_its_threads_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with start_pool(3, "ready") as pool:
        monkeypatch.setattr(threading.Thread, "start", lambda thread: pytest.fail("a thread was started"))
        assert sorted(pool.map(abs, range(8))) == list(range(8))
