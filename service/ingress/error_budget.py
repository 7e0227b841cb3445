"""Limits the work that a client causes with requests that end in errors.

Such work does not pass the queue of the model: a client that sends the same damaged file again at once, on a few
connections, would keep a core busy. So it is counted for each client. A client that exceeds its rate gets its errors
later; while it exceeds it by far, its large requests and those with several pictures are rejected before they are read.
Replies that are not errors are never delayed, and neither are errors that cost little.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from safety_core.errors import OverloadedError
from service.telemetry.request_record import RequestRecord

RATE = 16
"""Work in errors that a client may cause each second; a picture is 1, and so is a mebibyte of a body."""

BURST = 64
"""Work in errors that a client may cause at once."""

LONGEST_S = 4.0
"""Longest delay of an error."""

OVERLOADED_S = 0.25
"""Least delay of a rejection for overload."""

REJECTED_FROM_S = 2.0
"""Delay from which large requests are rejected."""

LARGE_BYTES = 1024 * 1024
"""Size from which a request counts as large."""

_LONGEST_DEBT_S = 30.0
"""Time after which all work is forgotten."""

_SMALL_BYTES = 64 * 1024
"""Size up to which reading a body is not counted."""

_MEBIBYTE = 2**20

_MAX_CLIENTS = 1024
"""Clients that are remembered, the most recent ones."""


class ErrorBudget:
    """Counts the work of each client; for one event loop.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._errors = _Debts(clock)
        self._overloads = _Debts(clock)

    async def delay_error(self, record: RequestRecord) -> None:
        """Count the work of a request that ended in an error, and wait until its client may be told so.

        The request holds no memory while it waits.
        """
        received = 0 if record.memory is None else record.memory.received
        work = record.pictures + (received / _MEBIBYTE if received > _SMALL_BYTES else 0)
        delay_s = min(self.charge(record.client, work), LONGEST_S)
        if delay_s:
            if record.memory is not None:
                record.memory.close()
            await asyncio.sleep(delay_s)

    async def delay_overload(self, record: RequestRecord) -> None:
        """Count a request that was rejected for overload, and wait until its client may be told so.

        A client that sends it again at once, without regard to ``Retry-After``, then costs little.
        """
        delay_s = self._overloads.add(record.client, 1)
        if record.memory is not None:
            record.memory.close()
        await asyncio.sleep(min(max(delay_s, OVERLOADED_S), LONGEST_S))

    def charge(self, client: str, work: float) -> float:
        """Count some work, and return the seconds until the client has paid for it; 0 if it costs nothing."""
        return self._errors.add(client, work) if work else 0.0

    def require_budget(self, client: str) -> None:
        """Raise OverloadedError if a client exceeds its rate by far."""
        left_s = self._errors.left_s(client) - REJECTED_FROM_S
        if left_s >= 0:
            raise OverloadedError("the client's requests have caused too many errors", retry_after_s=max(left_s, 1.0))


class _Debts:
    """What clients have to pay for, in seconds of their rate.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._paid_at: OrderedDict[str, float] = OrderedDict()

    def add(self, client: str, work: float) -> float:
        """Count work of a client; the seconds until it has paid."""
        now = self._clock()
        paid_at = max(self._paid_at.get(client, 0.0), now - BURST / RATE) + work / RATE
        self._paid_at[client] = min(paid_at, now + _LONGEST_DEBT_S)
        self._paid_at.move_to_end(client)
        if len(self._paid_at) > _MAX_CLIENTS:
            self._paid_at.popitem(last=False)
        return max(0.0, self._paid_at[client] - now)

    def left_s(self, client: str) -> float:
        """Seconds until a client has paid; negative if it has."""
        return self._paid_at.get(client, 0.0) - self._clock()
