"""A bounded queue whose entries are worked on in batches. Every entry is settled exactly once, whatever happens.

Threads put in, one worker takes out. An entry leaves unworked when its waiter has gone or its deadline has passed, and
then holds no place. A batch is due once it is full, once its first entry has waited long enough, or as soon as nobody
else is known to be on the way: who comes alone never waits for company. Knows no torch, no asyncio and no guard.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from safety_core.errors import DeadlineError, OverloadedError, StoppedError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry(Generic[Item, Result]):
    """One item and who waits for its result."""

    item: Item
    """What is to be worked on."""

    cost: int
    """How much of a batch it takes."""

    since: float
    """When it was put in, by the batcher's clock."""

    deadline: float
    """When its waiter will have given up."""

    future: Future[Result] = field(default_factory=Future)
    """Resolves to the result; cancelling it takes the entry out, unless it is being worked on."""


class Batcher(Generic[Item, Result]):
    """Gathers entries into batches.

    Args:
        max_queue: entries that may wait.
        max_cost: cost of a batch; an entry that alone costs more goes alone.
        max_wait_s: longest time that an entry is held back for others that are on their way.
        changed: notified whenever there may be something to take; share it to wait for several things at once.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        *,
        max_queue: int,
        max_cost: int,
        max_wait_s: float = 0.0,
        changed: threading.Condition | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_queue = max_queue
        self._max_cost = max_cost
        self._max_wait_s = max_wait_s
        self._changed = threading.Condition() if changed is None else changed
        self._clock = clock
        self._waiting: deque[Entry[Item, Result]] = deque()
        self._on_their_way = 0
        self._closed = False

    @property
    def depth(self) -> int:
        """Entries that wait."""
        with self._changed:
            self._drop_departed()
            return len(self._waiting)

    def expect(self) -> None:
        """Somebody is on the way to :meth:`put`, or else to :meth:`no_longer_expect`: a batch may be held for them."""
        with self._changed:
            self._on_their_way += 1

    def no_longer_expect(self) -> None:
        """Somebody who was on the way will not come."""
        with self._changed:
            self._on_their_way -= 1
            self._changed.notify_all()

    def put(self, item: Item, *, deadline: float, cost: int = 1, expected: bool = False) -> Future[Result]:
        """Queue an item.

        Args:
            item: what is to be worked on.
            deadline: when its waiter will have given up.
            cost: how much of a batch it takes.
            expected: whether it was on its way, and no longer is.

        Raises:
            OverloadedError: the queue is full.
            StoppedError: it is closed.
        """
        entry: Entry[Item, Result] = Entry(item=item, cost=cost, since=self._clock(), deadline=deadline)
        with self._changed:
            self._on_their_way -= expected
            if self._closed:
                raise StoppedError("no more work is taken")
            self._drop_departed()
            if len(self._waiting) >= self._max_queue:
                raise OverloadedError(f"{self._max_queue} requests are waiting already")
            self._waiting.append(entry)
            self._changed.notify_all()
        return entry.future

    def due_in(self) -> float | None:
        """Seconds until there is a batch to take, 0 if there is one now; None while nothing waits."""
        with self._changed:
            self._drop_departed()
            if not self._waiting:
                return None
            if not self._on_their_way or sum(entry.cost for entry in self._waiting) >= self._max_cost:
                return 0.0
            return max(0.0, self._waiting[0].since + self._max_wait_s - self._clock())

    def take(self) -> list[Entry[Item, Result]]:
        """The next batch, due or not, in order of arrival; its entries can no longer be cancelled."""
        batch: list[Entry[Item, Result]] = []
        cost = 0
        with self._changed:
            self._drop_departed()
            while self._waiting and (not batch or cost + self._waiting[0].cost <= self._max_cost):
                entry = self._waiting.popleft()
                if entry.future.set_running_or_notify_cancel():
                    batch.append(entry)
                    cost += entry.cost
        return batch

    def open(self) -> None:
        """Take entries again."""
        with self._changed:
            self._closed = False

    def close(self, reason: Exception) -> None:
        """Take no more entries; those that wait fail with ``reason``."""
        with self._changed:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        fail(left, reason)

    def _drop_departed(self) -> None:
        """Forget who has gone or is out of time; called with the lock held."""
        now = self._clock()
        if not any(entry.future.cancelled() or entry.deadline <= now for entry in self._waiting):
            return
        waiting, self._waiting = self._waiting, deque()
        for entry in waiting:
            if entry.future.cancelled():
                continue
            if entry.deadline <= now:
                fail([entry], DeadlineError("its turn did not come in time"))
            else:
                self._waiting.append(entry)


def settle(batch: Sequence[Entry[Item, Result]], outcomes: Sequence[Result | Exception]) -> None:
    """Tell every waiter of a batch that was taken; one outcome for each entry."""
    for entry, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Exception):
            entry.future.set_exception(outcome)
        else:
            entry.future.set_result(outcome)


def fail(entries: Sequence[Entry[Item, Result]], reason: Exception) -> None:
    """Tell every waiter that there will be no result; who has one keeps it."""
    for entry in entries:
        if entry.future.done():
            continue
        if entry.future.running() or entry.future.set_running_or_notify_cancel():
            entry.future.set_exception(reason)
