"""Equal requests share one verdict, and the last waiter to leave cancels it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

import pytest

from safety_core.engine.messages import GuardRequest
from safety_core.engine.serving.shared_verdicts import SharedTask, SharedVerdicts
from safety_core.engine.serving.verdict_cache import VerdictCache
from safety_core.engine.work import JudgedRequest
from safety_core.errors import DeadlineError
from tests.helpers.engine.fakes import FakeGuard, SilentObserver
from tests.helpers.engine.requests import GUARD_REQUEST

FAR = 1e9


class Judging:
    """Reaches verdicts once it may; records what it judges and which deadlines are extended."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.judged: list[SharedTask] = []
        self.deadlines: list[float] = []
        self.cancelled = asyncio.Event()
        self.extended: list[float] = []
        self.verdicts = SharedVerdicts(
            self.judge,
            VerdictCache(1 << 20),
            SilentObserver(),
            get_fingerprint=lambda: "fake",
            extend=lambda future, deadline: self.extended.append(deadline),
        )

    async def judge(self, request: GuardRequest, deadline: float, *, shared: SharedTask) -> JudgedRequest:
        shared.future = Future()
        self.judged.append(shared)
        self.deadlines.append(deadline)
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return JudgedRequest(verdict=FakeGuard().assess(request))

    def ask(self, deadline: float = FAR, client: str = "") -> "asyncio.Task[JudgedRequest]":
        return asyncio.create_task(self.verdicts.get(GUARD_REQUEST, client, deadline))


def run(scenario: Callable[[Judging], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario(Judging())

    asyncio.run(main())


async def wait_for(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(240):
        while not condition():
            await asyncio.sleep(0)


def test_equal_requests_are_judged_once_and_the_verdict_is_cached() -> None:
    async def scenario(judging: Judging) -> None:
        first, second = judging.ask(FAR), judging.ask(2 * FAR)
        await wait_for(lambda: judging.judged and judging.judged[0].waiters == 2)
        judging.ready.set()
        assert (await first).verdict.reused is False
        assert (await second).verdict.reused is True
        assert (await judging.ask()).verdict.reused is True
        assert len(judging.judged) == 1
        assert judging.judged[0].deadline == 2 * FAR
        assert judging.deadlines == [FAR], "whether there is room was asked for the second one's deadline"

    run(scenario)


def test_the_last_waiter_to_leave_cancels_the_verdict_and_no_other_joins_it() -> None:
    async def scenario(judging: Judging) -> None:
        tasks = [judging.ask(), judging.ask()]
        await wait_for(lambda: judging.judged and judging.judged[0].waiters == 2)
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        assert not judging.cancelled.is_set()
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        async with asyncio.timeout(240):
            await judging.cancelled.wait()
        judging.ready.set()
        assert (await judging.ask()).verdict.reused is False
        assert len(judging.judged) == 2

    run(scenario)


def test_a_waiter_that_joins_later_extends_the_deadline_in_the_queue() -> None:
    async def scenario(judging: Judging) -> None:
        first = judging.ask(FAR)
        await wait_for(lambda: judging.judged)
        second = judging.ask(2 * FAR)
        await wait_for(lambda: judging.extended)
        assert judging.extended == [2 * FAR]
        judging.ready.set()
        await asyncio.gather(first, second)

    run(scenario)


def test_no_wait_outlasts_its_deadline() -> None:
    async def scenario(judging: Judging) -> None:
        with pytest.raises(DeadlineError):
            await judging.ask(time.monotonic() + 0.01)

    run(scenario)
