"""Runs preparation jobs in threads, a few at a time, in an order that is evaluated whenever a thread becomes free.

An executor alone would run jobs in order of arrival, so that one client's many long texts would delay all others. A job
whose waiter was cancelled before the job started never runs. Use from one event loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from safety_core.engine.exceptions import is_out_of_memory
from safety_core.errors import ExhaustedError

_Result = TypeVar("_Result")

SortKey = tuple[float, ...]
"""The lowest key is next."""


class PrepareQueue:
    """Runs jobs in an executor, in a fair order.

    Args:
        executor: runs the jobs.
        slots: maximum number of running jobs; if there are several, one slot is reserved for cheap jobs.
    """

    def __init__(self, executor: Executor, *, slots: int) -> None:
        self._executor = executor
        self._slots = slots
        self._running = {False: 0, True: 0}
        """Numbers of running cheap and expensive jobs."""
        self._waiting: list[_Waiting] = []

    async def run(
        self, job: Callable[[], _Result], *, order: Callable[[], SortKey], expensive: bool = False
    ) -> _Result:
        """Run a job.

        Args:
            job: the job.
            order: returns the job's sort key whenever a slot becomes free; among equal keys, the oldest job is next.
            expensive: whether the job takes so long that other jobs must not wait for it.

        Raises:
            ExhaustedError: there was not enough memory for a thread.
            Exception: any exception of the job.
        """
        await self._acquire_slot(order, expensive)
        loop = asyncio.get_running_loop()
        try:
            running = self._executor.submit(job)
        except BaseException as exc:
            self._free_slot(expensive)
            if isinstance(exc, RuntimeError) and is_out_of_memory(exc):
                raise ExhaustedError("there was not enough memory") from None
            raise

        def free_slot(_: Future[_Result]) -> None:
            with suppress(RuntimeError):  # the loop is closed, so no waiter is left
                loop.call_soon_threadsafe(self._free_slot, expensive)

        # A cancelled waiter leaves its thread busy: the slot becomes free when the job has ended, not before.
        running.add_done_callback(free_slot)
        try:
            return await asyncio.wrap_future(running)
        except RuntimeError as exc:
            if is_out_of_memory(exc):
                raise ExhaustedError("there was not enough memory") from None
            raise

    def _free_slot(self, expensive: bool) -> None:
        self._running[expensive] -= 1
        self._wake_next()

    def _has_room(self, expensive: bool) -> bool:
        """Whether there is a free slot for a job of this kind."""
        if sum(self._running.values()) >= self._slots:
            return False
        return not expensive or self._running[True] < max(1, self._slots - 1)

    async def _acquire_slot(self, order: Callable[[], SortKey], expensive: bool) -> None:
        """Wait for a slot and take it."""
        waiting = _Waiting(order, expensive, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake_next()
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting.turn.done() and not waiting.turn.cancelled():  # the waiter already had a slot
                self._free_slot(expensive)
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
            raise

    def _wake_next(self) -> None:
        """Give free slots to the waiting jobs with the lowest sort keys."""
        while ready := [waiting for waiting in self._waiting if self._has_room(waiting.expensive)]:
            following = min(ready, key=lambda waiting: waiting.order())
            self._waiting.remove(following)
            if not following.turn.done():
                self._running[following.expensive] += 1
                following.turn.set_result(None)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A job that waits for a slot."""

    order: Callable[[], SortKey]
    expensive: bool
    turn: asyncio.Future[None]
