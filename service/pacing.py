"""Delays error replies to a client whose requests cost work and end in errors.

Work that ends in an error is not limited by the queue of the model: a client that sends the same rejected file again at
once, on a few connections, would keep a core busy. Replies that are not errors are never delayed, and neither are
errors that cost little.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from service.record import RequestRecord

RATE = 16
"""Work for each client and second above which its errors are delayed; a picture is 1, and so is each whole mebibyte of
the body."""

BURST = 64
"""Work that a client may cause at once before its errors are delayed."""

LONGEST_S = 4.0
"""Longest delay."""

_MEBIBYTE = 2**20

_MAX_CLIENTS = 1024
"""Clients that are remembered, the most recent ones."""


class ErrorPacer:
    """How long the error replies to each client are delayed; for one event loop.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._paid_at: OrderedDict[str, float] = OrderedDict()

    async def pace(self, record: RequestRecord, *, least_s: float = 0.0) -> None:
        """Wait until a request may be told that it ended in an error; it holds no memory meanwhile.

        Args:
            record: of the request.
            least_s: how long it waits in any case.
        """
        received = 0 if record.memory is None else record.memory.received
        delay_s = max(least_s, self.delay_s(record.client, record.pictures + received // _MEBIBYTE))
        if delay_s:
            if record.memory is not None:
                record.memory.close()
            await asyncio.sleep(delay_s)

    def delay_s(self, client: str, work: int) -> float:
        """Count the work of a request that ended in an error, and return how long to wait before the reply is sent.

        Args:
            client: whose request it was.
            work: that it caused; none if it was rejected before its body was read.
        """
        if not work:
            return 0.0
        now = self._clock()
        paid_at = max(self._paid_at.get(client, 0.0), now - BURST / RATE) + work / RATE
        self._paid_at[client] = min(paid_at, now + LONGEST_S)
        self._paid_at.move_to_end(client)
        if len(self._paid_at) > _MAX_CLIENTS:
            self._paid_at.popitem(last=False)
        return max(0.0, self._paid_at[client] - now)
