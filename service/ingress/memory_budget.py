"""Counts the memory of all accepted requests as it grows, and enforces a limit.

This includes bodies while they are read, their texts and files, decoded images and model inputs; ``decode_pool`` bounds
the working memory of decoding. A request that exceeds the limit gets 429 at once. No client may hold more than its
share, and stalled uploads are aborted if other requests need the memory. A single request is always served, whatever
the settings. Use from one event loop only.
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
"""Seconds without progress after which an upload may be aborted to make room."""

_TRIM_BYTES = 16 * 1024 * 1024
"""Bytes that must have been released before free memory is returned to the system."""

_TRIM_INTERVAL_S = 5.0
"""Minimum interval in seconds at which free memory is returned to the system while requests run."""


class MemoryBudget:
    """Limits the bytes that all requests hold together.

    Args:
        limit: bytes.
        clock: monotonic time in seconds.
        released: called in the event loop when enough memory was released to return it to the system.
    """

    def __init__(
        self, limit: int, *, clock: Callable[[], float] = time.monotonic, released: Callable[[], None] = lambda: None
    ) -> None:
        self.limit = limit
        self._clock = clock
        self._released = released
        self._reservations: set[MemoryReservation] = set()
        self._by_client: Counter[str] = Counter()
        self._used = 0
        self._freed = 0
        self._trimmed_at = clock()

    @property
    def used(self) -> int:
        """Bytes that all requests hold."""
        return self._used

    def reserve(self, client: str = "") -> "MemoryReservation":
        """Create an empty reservation for one request; it must be closed."""
        return MemoryReservation(self, client, self._clock)

    def take(self, reservation: "MemoryReservation", size: int) -> None:
        """Count more bytes for a request.

        Raises:
            OverloadedError: the limit would be exceeded.
        """
        while not self._fits(reservation, size):
            stalled = self._find_stalled_upload(besides=reservation)
            if stalled is None:
                raise OverloadedError("the accepted requests have used up the memory budget")
            stalled.evict()
        self._reservations.add(reservation)
        self._used += size
        self._by_client[reservation.client] += size

    def give_back(self, reservation: "MemoryReservation", size: int, *, is_last: bool) -> None:
        """Count fewer bytes for a request; with ``is_last``, its reservation ends."""
        self._used -= size
        self._freed += size
        self._by_client[reservation.client] -= size
        if not self._by_client[reservation.client]:
            del self._by_client[reservation.client]
        if is_last:
            self._reservations.discard(reservation)
        if self._freed >= _TRIM_BYTES and (not self._used or self._clock() - self._trimmed_at >= _TRIM_INTERVAL_S):
            self._freed, self._trimmed_at = 0, self._clock()
            self._released()

    def _fits(self, reservation: "MemoryReservation", size: int) -> bool:
        if self._used == reservation.size:
            return True  # no other request holds anything
        if self._used + size > self.limit:
            return False
        client = reservation.client
        return not client or self._by_client[client] + size <= _SHARE * self.limit

    def _find_stalled_upload(self, *, besides: "MemoryReservation") -> "MemoryReservation | None":
        """Find the upload to abort: the largest stalled upload of the client that holds the most memory."""
        stalled = [
            reservation
            for reservation in self._reservations
            if reservation is not besides and reservation.size and reservation.stall_s >= STALLED_AFTER_S
        ]
        return max(
            stalled, key=lambda reservation: (self._by_client[reservation.client], reservation.size), default=None
        )


class MemoryReservation:
    """The memory of one request. A context manager that releases all of it at the end.

    Args:
        budget: the budget.
        client: key for fair shares.
        clock: monotonic time in seconds.
    """

    def __init__(self, budget: MemoryBudget, client: str, clock: Callable[[], float]) -> None:
        self.client = client
        self.size = 0
        self.received = 0
        """Bytes of the body so far."""
        self.is_evicted = False
        """Whether the upload was aborted to make room."""
        self._budget = budget
        self._clock = clock
        self._is_closed = False
        self._evict: Callable[[], None] | None = None
        self._progress_at = 0.0
        self._progress_left = 0

    def __enter__(self) -> "MemoryReservation":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def grow(self, size: int) -> None:
        """Reserve more bytes.

        Raises:
            OverloadedError: the limit would be exceeded, or this request was dropped to make room for others.
        """
        if self._is_closed:
            raise OverloadedError("the request was dropped to make room for others")
        self._budget.take(self, size)
        self.size += size

    def shrink(self, size: int) -> None:
        """Release some of the reserved bytes."""
        if not self._is_closed:
            size = min(size, self.size)
            self.size -= size
            self._budget.give_back(self, size, is_last=False)

    def close(self) -> None:
        """Release everything; the reservation cannot be used again."""
        if not self._is_closed:
            self._is_closed = True
            size, self.size = self.size, 0
            self._budget.give_back(self, size, is_last=True)

    # --- uploads -----------------------------------------------------------------------------------------------------

    def begin_upload(self, evict: Callable[[], None]) -> None:
        """Register an upload; ``evict`` aborts it if it stalls and other requests need the memory."""
        self._evict, self._progress_at, self._progress_left = evict, self._clock(), _PROGRESS_BYTES

    def add_received(self, size: int) -> None:
        """Count received bytes of the body. Raises as :meth:`grow` does."""
        self.received += size
        self._progress_left -= size
        if self._progress_left <= 0:
            self._progress_at, self._progress_left = self._clock(), _PROGRESS_BYTES
        self.grow(size)

    def end_upload(self) -> None:
        """Record that the body is complete or no longer needed."""
        self._evict = None

    @property
    def stall_s(self) -> float:
        """Seconds since the upload made progress; 0 for a request whose body is complete."""
        return 0.0 if self._evict is None else self._clock() - self._progress_at

    def evict(self) -> None:
        """Abort the request to make room for others."""
        evict, self._evict = self._evict, None
        self.is_evicted = True
        self.close()
        if evict is not None:
            evict()


def create_heap_trimmer(pool: Executor) -> Callable[[], None]:
    """Create a callback for :class:`MemoryBudget` that returns free memory to the system, in a thread of ``pool``.

    It waits a moment first, because the memory of a request is freed only when the last function that uses it returns.
    """

    def trim() -> None:
        asyncio.get_running_loop().call_later(0.2, submit)

    def submit() -> None:
        with suppress(RuntimeError):  # the server is stopping
            pool.submit(trim_heap)

    return trim
