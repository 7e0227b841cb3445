"""Prepares requests in threads, a few at a time, in an order that is decided when a thread becomes free.

An executor alone would run jobs in order of arrival, so that one client's many long texts would delay all others. A job
whose waiter was cancelled before it started is never run. For use in one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from safety_core.engine.exceptions import out_of_memory
from safety_core.errors import ExhaustedError

_Result = TypeVar("_Result")


class PrepareQueue:
    """Runs jobs in an executor.

    Args:
        executor: where they run.
        slots: jobs that run at a time; one of several is kept for jobs that are not expensive.
    """

    def __init__(self, executor: Executor, *, slots: int) -> None:
        self._executor = executor
        self._slots = slots
        self._running = {False: 0, True: 0}
        """Jobs that run: cheap ones, and expensive ones."""
        self._waiting: list[_Waiting] = []

    async def run(self, job: Callable[[], _Result], *, order: Callable[[], Any], expensive: bool = False) -> _Result:
        """Run a job.

        Args:
            job: what to run.
            order: sort key, called whenever a slot becomes free; the lowest is next, and of equal ones the oldest.
            expensive: whether it takes so long that others must not have to wait for it.

        Raises:
            ExhaustedError: there was not enough memory for a thread.
            Exception: whatever the job raises.
        """
        await self._slot(order, expensive)
        loop = asyncio.get_running_loop()
        try:
            running = self._executor.submit(job)
        except BaseException as exc:
            self._free_slot(expensive)
            if isinstance(exc, RuntimeError) and out_of_memory(exc):
                raise ExhaustedError("there was not enough memory") from None
            raise

        def ended(_: Future[_Result]) -> None:
            with suppress(RuntimeError):  # the loop has closed: nobody is left to wait
                loop.call_soon_threadsafe(self._free_slot, expensive)

        # Whoever stops waiting leaves the thread busy: the slot is free when the job has ended, not before.
        running.add_done_callback(ended)
        try:
            return await asyncio.wrap_future(running)
        except RuntimeError as exc:
            if out_of_memory(exc):
                raise ExhaustedError("there was not enough memory") from None
            raise

    def _free_slot(self, expensive: bool) -> None:
        self._running[expensive] -= 1
        self._wake_next()

    def _has_room(self, expensive: bool) -> bool:
        """Whether there is a free slot for such a job."""
        if sum(self._running.values()) >= self._slots:
            return False
        return not expensive or self._running[True] < max(1, self._slots - 1)

    async def _slot(self, order: Callable[[], Any], expensive: bool) -> None:
        """Wait for a slot and take it."""
        waiting = _Waiting(order, expensive, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake_next()
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting.turn.done() and not waiting.turn.cancelled():  # it had been given a slot already
                self._free_slot(expensive)
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
            raise

    def _wake_next(self) -> None:
        """Give free slots to whose turn it is."""
        while ready := [one for one in self._waiting if self._has_room(one.expensive)]:
            following = min(ready, key=lambda one: one.order())
            self._waiting.remove(following)
            if not following.turn.done():
                self._running[following.expensive] += 1
                following.turn.set_result(None)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A job that waits for a slot."""

    order: Callable[[], Any]
    expensive: bool
    turn: asyncio.Future[None]
