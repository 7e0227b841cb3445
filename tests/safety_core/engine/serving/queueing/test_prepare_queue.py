"""Requests are prepared a few at a time, whoever stops waiting for them."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from safety_core.engine.serving.queueing.prepare_queue import PrepareQueue
from safety_core.errors import PromptError


def test_a_slot_is_taken_until_its_job_has_ended_although_nobody_waits_for_it_any_more() -> None:
    release, began, ended = threading.Event(), threading.Event(), threading.Event()
    overlapped: list[bool] = []

    def dear() -> None:
        began.set()
        assert release.wait(60)
        ended.set()

    async def scenario() -> None:
        with ThreadPoolExecutor(2) as pool:
            queue = PrepareQueue(pool, slots=1)
            first = asyncio.create_task(queue.run(dear, order=lambda: (0,)))
            while not began.is_set():
                await asyncio.sleep(0.001)
            first.cancel()
            await asyncio.wait({first})
            second = asyncio.create_task(queue.run(lambda: overlapped.append(not ended.is_set()), order=lambda: (0,)))
            await asyncio.wait({second}, timeout=0.05)
            release.set()
            await second

    asyncio.run(scenario())
    assert overlapped == [False]


def test_a_job_that_fails_or_is_called_off_gives_its_slot_back() -> None:
    def broken() -> None:
        raise PromptError("no", code="prompt_too_long", param="prompt")

    async def scenario() -> None:
        with ThreadPoolExecutor(1) as pool:
            queue = PrepareQueue(pool, slots=1)
            for _ in range(3):
                with pytest.raises(PromptError):
                    await queue.run(broken, order=lambda: (0,))
            waiting = [asyncio.create_task(queue.run(lambda: None, order=lambda: (0,))) for _ in range(5)]
            await asyncio.sleep(0)
            for one in waiting[::2]:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert await queue.run(lambda: 7, order=lambda: (0,)) == 7

    asyncio.run(scenario())


def test_one_of_several_slots_is_kept_for_jobs_that_are_not_expensive() -> None:
    release, began = threading.Event(), threading.Semaphore(0)
    done: list[str] = []

    def expensive() -> None:
        began.release()
        assert release.wait(240)
        done.append("expensive")

    async def scenario() -> None:
        with ThreadPoolExecutor(2) as pool:
            queue = PrepareQueue(pool, slots=2)
            dear = [asyncio.create_task(queue.run(expensive, order=lambda: (0,), expensive=True)) for _ in range(3)]
            await asyncio.to_thread(began.acquire)
            await queue.run(lambda: done.append("cheap"), order=lambda: (1,))
            release.set()
            await asyncio.gather(*dear)

    asyncio.run(scenario())
    assert done == ["cheap", *["expensive"] * 3]
