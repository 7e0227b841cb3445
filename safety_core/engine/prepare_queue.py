"""Prepares requests in threads, a few at a time, in an order that is decided when a thread becomes free.

An executor alone would run jobs in order of arrival, so that one client's many long texts would delay all others. A job
whose waiter was cancelled before it started is never run. For use in one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, TypeVar

from safety_core.engine.faults import out_of_memory
from safety_core.errors import ExhaustedError

_Result = TypeVar("_Result")


class PrepareQueue:
    """Runs jobs in an executor.

    Args:
        executor: where they run.
        slots: jobs that run at a time.
    """

    def __init__(self, executor: Executor, *, slots: int) -> None:
        self._executor = executor
        self._slots = slots
        self._running = 0
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[None]]] = []

    async def run(self, job: Callable[[], _Result], *, order: Callable[[], Any]) -> _Result:
        """Run a job.

        Args:
            job: what to run.
            order: sort key, called whenever a slot becomes free; the lowest is next, and of equal ones the oldest.

        Raises:
            ExhaustedError: there was not enough memory for a thread.
            Exception: whatever the job raises.
        """
        await self._slot(order)
        loop = asyncio.get_running_loop()
        try:
            running = self._executor.submit(job)
        except BaseException as exc:
            self._free_slot()
            if isinstance(exc, RuntimeError) and out_of_memory(exc):
                raise ExhaustedError("there was not enough memory") from None
            raise

        def ended(_: Future[_Result]) -> None:
            with suppress(RuntimeError):  # the loop has closed: nobody is left to wait
                loop.call_soon_threadsafe(self._free_slot)

        # Whoever stops waiting leaves the thread busy: the slot is free when the job has ended, not before.
        running.add_done_callback(ended)
        try:
            return await asyncio.wrap_future(running)
        except RuntimeError as exc:
            if out_of_memory(exc):
                raise ExhaustedError("there was not enough memory") from None
            raise

    def _free_slot(self) -> None:
        self._running -= 1
        self._wake_next()

    async def _slot(self, order: Callable[[], Any]) -> None:
        """Wait for a slot and take it."""
        if self._running < self._slots and not self._waiting:
            self._running += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = (order, turn)
        self._waiting.append(waiting)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had been given a slot already
                self._running -= 1
                self._wake_next()
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
            raise

    def _wake_next(self) -> None:
        """Assign free slots to the next jobs."""
        while self._waiting and self._running < self._slots:
            following = min(self._waiting, key=lambda one: one[0]())
            self._waiting.remove(following)
            if not following[1].done():
                self._running += 1
                following[1].set_result(None)
