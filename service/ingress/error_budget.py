"""Limits the work that a client causes with requests that end in errors.

Such work bypasses the queue of the model: a client that repeatedly sends the same damaged file over a few connections
could keep a core busy. The work is therefore counted per client. If a client exceeds its rate, its error responses are
delayed; if it exceeds the rate by far, large requests and requests with several images are rejected before they are
read. Successful responses and cheap errors are never delayed.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from safety_core.errors import OverloadedError
from service.ingress.request_resources import RequestResources

RATE = 16
"""Maximum error work per client and second, in units of one image or 1 MiB of a request body."""

BURST = 64
"""Maximum error work that a client may cause in one burst."""

MAX_DELAY_S = 4.0
"""Maximum delay of an error, in seconds."""

MIN_OVERLOAD_DELAY_S = 0.25
"""Minimum delay of a rejection for overload, in seconds."""

REJECTION_DELAY_S = 2.0
"""Delay in seconds from which large requests are rejected."""

LARGE_BYTES = 1024 * 1024
"""Size from which a request counts as large."""

_MAX_DEBT_S = 30.0
"""Seconds without requests after which a client's work is forgotten."""

_SMALL_BYTES = 64 * 1024
"""Size up to which reading a body is not counted."""

_MEBIBYTE = 2**20

_MAX_CLIENTS = 1024
"""Number of clients that are remembered; the most recent clients are kept."""


class ErrorBudget:
    """Counts the work of each client. Use from one event loop only.

    Args:
        clock: monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._errors = WorkRateLimit(clock)
        self._overloads = WorkRateLimit(clock)

    async def delay_error(self, resources: RequestResources) -> None:
        """Count the work of a request that ended in an error, and wait until the error may be sent.

        The request holds no memory while it waits.
        """
        received = 0 if resources.memory is None else resources.memory.received
        work = resources.image_count + (received / _MEBIBYTE if received > _SMALL_BYTES else 0)
        delay_s = min(self.charge(resources.client, work), MAX_DELAY_S)
        if delay_s:
            resources.release_memory()
            await asyncio.sleep(delay_s)

    async def delay_overload(self, resources: RequestResources) -> None:
        """Count a request that was rejected for overload, and wait until the rejection may be sent.

        A client that ignores ``Retry-After`` and sends the request again at once then costs little.
        """
        delay_s = self._overloads.add(resources.client, 1)
        resources.release_memory()
        await asyncio.sleep(min(max(delay_s, MIN_OVERLOAD_DELAY_S), MAX_DELAY_S))

    def charge(self, client: str, work: float) -> float:
        """Count work of a client, and return the seconds by which the client exceeds its rate."""
        return self._errors.add(client, work) if work else 0.0

    def require_budget(self, client: str) -> None:
        """Raise OverloadedError if a client exceeds its rate by far."""
        excess_s = self._errors.get_excess_s(client) - REJECTION_DELAY_S
        if excess_s >= 0:
            raise OverloadedError("the client's requests have caused too many errors", retry_after_s=max(excess_s, 1.0))


class WorkRateLimit:
    """Rate limit of the work of each client (generic cell rate algorithm).

    Stores for each client the time at which its rate will have covered all of its work.

    Args:
        clock: monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._allowed_at: OrderedDict[str, float] = OrderedDict()

    def add(self, client: str, work: float) -> float:
        """Count work of a client; returns the seconds by which the client exceeds its rate."""
        now = self._clock()
        allowed_at = max(self._allowed_at.get(client, 0.0), now - BURST / RATE) + work / RATE
        self._allowed_at[client] = min(allowed_at, now + _MAX_DEBT_S)
        self._allowed_at.move_to_end(client)
        if len(self._allowed_at) > _MAX_CLIENTS:
            self._allowed_at.popitem(last=False)
        return max(0.0, self._allowed_at[client] - now)

    def get_excess_s(self, client: str) -> float:
        """Seconds by which a client exceeds its rate; negative if it does not."""
        return self._allowed_at.get(client, 0.0) - self._clock()
