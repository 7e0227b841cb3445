"""What all accepted requests hold in memory, counted while it grows, and what happens when it is too much.

Counted are bodies while they are read, the texts and files in them, decoded pictures and what they become; the memory
of decoding itself is bounded where it is done (``decoders``). A request that would need more than there is gets 429 at
once. No client may hold more than its share, and bodies that have stopped to arrive make room for those that do arrive.
One request alone is always served, whatever the settings. For one event loop.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress

from safety_core.errors import OverloadedError
from safety_core.memory import release_free_memory

_SHARE = 0.75
"""Most of the budget that one client may hold."""

_PROGRESS_BYTES = 64 * 1024
"""A body makes progress when so much more of it has come."""

STALLED_AFTER_S = 1.0
"""A body without progress for so long may have to make room."""

_TRIM_BYTES = 16 * 1024 * 1024
"""Memory that must have been let go of before any is given back to the system."""

_TRIM_INTERVAL_S = 5.0
"""Seconds between two times that memory is given back while requests run."""


class MemoryBudget:
    """Bytes that all requests together may hold.

    Args:
        limit: how many.
        clock: seconds.
        released: called in the event loop where enough was let go of for it to be given back to the system.
    """

    def __init__(
        self, limit: int, *, clock: Callable[[], float] = time.monotonic, released: Callable[[], None] = lambda: None
    ) -> None:
        self.limit = limit
        self._clock = clock
        self._released = released
        self._holdings: set[Holding] = set()
        self._by_client: Counter[str] = Counter()
        self._used = 0
        self._freed = 0
        self._trimmed_at = clock()

    @property
    def used(self) -> int:
        """Bytes that are held."""
        return self._used

    def holding(self, client: str = "") -> "Holding":
        """What one request is going to hold, nothing yet; it must be closed."""
        return Holding(self, client)

    def take(self, holding: "Holding", size: int) -> None:
        """Count more bytes for a request.

        Raises:
            OverloadedError: it is too much.
        """
        while not self._fits(holding, size):
            stalled = self._stalled_upload(besides=holding)
            if stalled is None:
                raise OverloadedError("the accepted requests have used up the memory budget")
            stalled.evict()
        self._holdings.add(holding)
        self._used += size
        self._by_client[holding.client] += size

    def give_back(self, holding: "Holding", size: int, *, last: bool) -> None:
        """Count fewer bytes for a request; with ``last`` it holds nothing any more."""
        self._used -= size
        self._freed += size
        self._by_client[holding.client] -= size
        if not self._by_client[holding.client]:
            del self._by_client[holding.client]
        if last:
            self._holdings.discard(holding)
        if self._freed >= _TRIM_BYTES and (not self._used or self._clock() - self._trimmed_at >= _TRIM_INTERVAL_S):
            self._freed, self._trimmed_at = 0, self._clock()
            self._released()

    def _fits(self, holding: "Holding", size: int) -> bool:
        if self._used == holding.size:
            return True  # nobody else holds anything
        if self._used + size > self.limit:
            return False
        return not holding.client or self._by_client[holding.client] + size <= _SHARE * self.limit

    def _stalled_upload(self, *, besides: "Holding") -> "Holding | None":
        """The body that makes room: one without progress, of the client that holds the most, the largest."""
        now = self._clock()
        stalled = [
            one for one in self._holdings if one is not besides and one.size and one.stalled_s(now) >= STALLED_AFTER_S
        ]
        return max(stalled, key=lambda one: (self._by_client[one.client], one.size), default=None)


class Holding:
    """What one request holds. A context manager that lets go of it all at its end.

    Args:
        budget: where it is counted.
        client: whose request it is.
    """

    def __init__(self, budget: MemoryBudget, client: str) -> None:
        self.client = client
        self.size = 0
        self.evicted = False
        self._budget = budget
        self._closed = False
        self._evict: Callable[[], None] | None = None
        self._progress_at = 0.0
        self._progress_left = 0

    def __enter__(self) -> "Holding":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def grow(self, size: int) -> None:
        """Hold more bytes.

        Raises:
            OverloadedError: there is no room, or this request had to make room for others.
        """
        if self._closed:
            raise OverloadedError("the request was dropped to make room for others")
        self._budget.take(self, size)
        self.size += size

    def shrink(self, size: int) -> None:
        """Hold fewer bytes."""
        if not self._closed:
            size = min(size, self.size)
            self.size -= size
            self._budget.give_back(self, size, last=False)

    def close(self) -> None:
        """Hold nothing any more; for good."""
        if not self._closed:
            self._closed = True
            size, self.size = self.size, 0
            self._budget.give_back(self, size, last=True)

    # --- bodies that are being read ------------------------------------------------------------------------------

    def upload(self, evict: Callable[[], None]) -> None:
        """A body begins to arrive; ``evict`` ends it where it stalls and others need the room."""
        self._evict, self._progress_at, self._progress_left = evict, self._budget_time(), _PROGRESS_BYTES

    def arrived(self, size: int) -> None:
        """More of the body came. Raises as :meth:`grow` does."""
        self._progress_left -= size
        if self._progress_left <= 0:
            self._progress_at, self._progress_left = self._budget_time(), _PROGRESS_BYTES
        self.grow(size)

    def uploaded(self) -> None:
        """The body is complete, or nobody waits for it any more."""
        self._evict = None

    def stalled_s(self, now: float) -> float:
        """Seconds since the body made progress; 0 for a request whose body is complete."""
        return 0.0 if self._evict is None else now - self._progress_at

    def evict(self) -> None:
        """Make room for others."""
        evict, self._evict = self._evict, None
        self.evicted = True
        self.close()
        if evict is not None:
            evict()

    def _budget_time(self) -> float:
        return self._budget._clock()


def trimming(pool: Executor) -> Callable[[], None]:
    """What gives free memory back to the system, in a thread of ``pool``; for :class:`MemoryBudget`.

    Waits a moment first: what a request held is freed when the last function that served it returns.
    """

    def trim() -> None:
        asyncio.get_running_loop().call_later(0.2, submit)

    def submit() -> None:
        with suppress(RuntimeError):  # the server is stopping
            pool.submit(release_free_memory)

    return trim
