"""Readers of replies: each gets its own updates, a late reply fails, and one that is not read any more is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from safety_core.engine.serving.replies import ReplyHandle, ReplyUpdate
from safety_core.engine.serving.reply_readers import ReplyReaders
from safety_core.errors import DeadlineError, GenerationError

REQUEST: Any = SimpleNamespace(policy=None)


class FakeScheduler:
    """Takes requests for replies, and remembers which were cancelled."""

    def __init__(self) -> None:
        self.cancelled: list[ReplyHandle] = []

    def request_reply(self, request: Any, *, deadline: float, client: str) -> ReplyHandle:
        return ReplyHandle(request, deadline, requested_at=0.0, client=client)

    def cancel(self, handle: ReplyHandle) -> None:
        self.cancelled.append(handle)


def run(scenario: Callable[[ReplyReaders, Any], Awaitable[None]], *, timeout_s: float = 240) -> None:
    async def main() -> None:
        await scenario(ReplyReaders(timeout_s=timeout_s), FakeScheduler())

    asyncio.run(main())


def test_each_reader_gets_the_updates_of_its_own_reply() -> None:
    async def scenario(readers: ReplyReaders, scheduler: Any) -> None:
        with readers.request(scheduler, REQUEST, "a") as first, readers.request(scheduler, REQUEST, "b") as second:
            updates = [ReplyUpdate(second.handle, "two"), ReplyUpdate(first.handle, "one")]
            await asyncio.to_thread(readers.deliver, updates)
            assert [(await first.read()).text, (await second.read()).text] == ["one", "two"]
        assert scheduler.cancelled == [second.handle, first.handle]
        await asyncio.to_thread(readers.deliver, updates)

    run(scenario)


def test_a_failure_is_raised_where_the_reply_is_read() -> None:
    async def scenario(readers: ReplyReaders, scheduler: Any) -> None:
        with readers.request(scheduler, REQUEST, "") as reply:
            readers.deliver([ReplyUpdate(reply.handle, failure=GenerationError("broken"))])
            with pytest.raises(GenerationError):
                await reply.read()

    run(scenario)


def test_a_reply_without_news_fails_at_its_deadline() -> None:
    async def scenario(readers: ReplyReaders, scheduler: Any) -> None:
        with readers.request(scheduler, REQUEST, "") as reply, pytest.raises(DeadlineError):
            await reply.read()
        assert scheduler.cancelled == [reply.handle]

    run(scenario, timeout_s=0.01)
