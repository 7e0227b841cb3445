"""Counts the memory of all accepted requests as it grows, and enforces a limit.

This includes bodies while they are read, their texts and files, decoded pictures and model inputs; ``decode_pool``
bounds the working memory of decoding. A request that exceeds the limit gets 429 at once. No client may hold more than
its share, and stalled uploads are ended if others need the room. A single request is always served, whatever the
settings. For one event loop.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress

from safety_core.errors import OverloadedError
from safety_core.heap import trim_heap

_SHARE = 0.75
"""Largest share of the budget for one client."""

_PROGRESS_BYTES = 64 * 1024
"""Bytes of a body that count as progress."""

STALLED_AFTER_S = 1.0
"""Seconds without progress after which a body may be dropped to make room."""

_TRIM_BYTES = 16 * 1024 * 1024
"""Bytes that must have been released before memory is returned to the system."""

_TRIM_INTERVAL_S = 5.0
"""Minimum seconds between returns of memory while requests run."""


class MemoryBudget:
    """Limits the bytes that all requests hold together.

    Args:
        limit: bytes.
        clock: seconds.
        released: called in the event loop when enough memory was released to return it to the system.
    """

    def __init__(
        self, limit: int, *, clock: Callable[[], float] = time.monotonic, released: Callable[[], None] = lambda: None
    ) -> None:
        self.limit = limit
        self._clock = clock
        self._released = released
        self._holdings: set[MemoryReservation] = set()
        self._by_client: Counter[str] = Counter()
        self._used = 0
        self._freed = 0
        self._trimmed_at = clock()

    @property
    def used(self) -> int:
        """Bytes that are held."""
        return self._used

    def holding(self, client: str = "") -> "MemoryReservation":
        """A new, empty holding for one request; must be closed."""
        return MemoryReservation(self, client)

    def take(self, holding: "MemoryReservation", size: int) -> None:
        """Count more bytes for a request.

        Raises:
            OverloadedError: the limit would be exceeded.
        """
        while not self._fits(holding, size):
            stalled = self._stalled_upload(besides=holding)
            if stalled is None:
                raise OverloadedError("the accepted requests have used up the memory budget")
            stalled.evict()
        self._holdings.add(holding)
        self._used += size
        self._by_client[holding.client] += size

    def give_back(self, holding: "MemoryReservation", size: int, *, last: bool) -> None:
        """Count fewer bytes for a request; with ``last``, its holding ends."""
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

    def _fits(self, holding: "MemoryReservation", size: int) -> bool:
        if self._used == holding.size:
            return True  # nobody else holds anything
        if self._used + size > self.limit:
            return False
        return not holding.client or self._by_client[holding.client] + size <= _SHARE * self.limit

    def _stalled_upload(self, *, besides: "MemoryReservation") -> "MemoryReservation | None":
        """The body to drop: the largest stalled one of the client that holds the most."""
        now = self._clock()
        stalled = [
            one for one in self._holdings if one is not besides and one.size and one.stalled_s(now) >= STALLED_AFTER_S
        ]
        return max(stalled, key=lambda one: (self._by_client[one.client], one.size), default=None)


class MemoryReservation:
    """The memory of one request. A context manager that releases all of it at the end.

    Args:
        budget: the budget that it counts against.
        client: key for fair shares.
    """

    def __init__(self, budget: MemoryBudget, client: str) -> None:
        self.client = client
        self.size = 0
        self.received = 0
        """Bytes of the body so far."""
        self.evicted = False
        self._budget = budget
        self._closed = False
        self._evict: Callable[[], None] | None = None
        self._progress_at = 0.0
        self._progress_left = 0

    def __enter__(self) -> "MemoryReservation":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def grow(self, size: int) -> None:
        """Hold more bytes.

        Raises:
            OverloadedError: the limit would be exceeded, or this request was dropped to make room for others.
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
        """Release everything; the holding cannot be used again."""
        if not self._closed:
            self._closed = True
            size, self.size = self.size, 0
            self._budget.give_back(self, size, last=True)

    # --- bodies that are being read ------------------------------------------------------------------------------

    def upload(self, evict: Callable[[], None]) -> None:
        """Register a body; ``evict`` ends it if it stalls and others need the room."""
        self._evict, self._progress_at, self._progress_left = evict, self._budget_time(), _PROGRESS_BYTES

    def arrived(self, size: int) -> None:
        """Count received bytes of the body. Raises as :meth:`grow` does."""
        self.received += size
        self._progress_left -= size
        if self._progress_left <= 0:
            self._progress_at, self._progress_left = self._budget_time(), _PROGRESS_BYTES
        self.grow(size)

    def uploaded(self) -> None:
        """The body is complete or no longer needed."""
        self._evict = None

    def stalled_s(self, now: float) -> float:
        """Seconds since the body made progress; 0 for a request whose body is complete."""
        return 0.0 if self._evict is None else now - self._progress_at

    def evict(self) -> None:
        """End the request to make room for others."""
        evict, self._evict = self._evict, None
        self.evicted = True
        self.close()
        if evict is not None:
            evict()

    def _budget_time(self) -> float:
        return self._budget._clock()


def create_heap_trimmer(pool: Executor) -> Callable[[], None]:
    """A callback for :class:`MemoryBudget` that returns free memory to the system, in a thread of ``pool``.

    Waits a moment first: a request's memory is freed when the last function that serves it returns.
    """

    def trim() -> None:
        asyncio.get_running_loop().call_later(0.2, submit)

    def submit() -> None:
        with suppress(RuntimeError):  # the server is stopping
            pool.submit(trim_heap)

    return trim
