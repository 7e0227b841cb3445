"""Requests that were rejected only after they had been prepared: for a moment their like are rejected before.

How much work a request is, is known exactly only once it is prepared, which takes time from others. A client that sends
expensive requests to a full queue, again and again, would have each of them prepared for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from safety_core.errors import OverloadedError

LONGEST_S = 2.0
"""Longest time for which a rejection holds: work leaves the queue faster than expected now and then."""

MANY_PICTURES = 4
"""Pictures from which a request is rejected for their number alone, before they are decoded."""

MANY_TOKENS = 128
"""Least work of a text from which preparing it takes noticeable time."""

MAX_CLIENTS = 1024
"""Clients whose last rejection is remembered."""


@dataclass(frozen=True, slots=True)
class _Rejection:
    until: float
    pictures: int
    tokens: int

    def covers(self, pictures: int, tokens: int | None) -> bool:
        """Whether a request is at least as much work; without ``tokens``, whether many pictures show that it is."""
        if pictures < self.pictures:
            return False
        return self.pictures >= MANY_PICTURES if tokens is None else tokens >= self.tokens


class Rejections:
    """The last rejection of each client; to be used in one event loop.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, _Rejection] = {}

    def add(self, client: str, pictures: int, tokens: int, retry_after_s: float) -> None:
        """A request was rejected; one that is prepared in no time is not remembered.

        Args:
            client: whose it was.
            pictures: how many it had.
            tokens: least work of judging its text, as known before it was prepared.
            retry_after_s: when there may be room again.
        """
        if pictures < MANY_PICTURES and tokens < MANY_TOKENS:
            return
        self._last.pop(client, None)
        if len(self._last) >= MAX_CLIENTS:
            del self._last[next(iter(self._last))]
        self._last[client] = _Rejection(self._clock() + min(retry_after_s, LONGEST_S), pictures, tokens)

    def require_none(self, client: str, pictures: int, tokens: int | None = None) -> None:
        """Raise OverloadedError if a request of this client that was no more work was rejected a moment ago.

        Args:
            client: whose request it is.
            pictures: how many it has.
            tokens: least work of judging its text; None if that is not known yet, and many pictures decide.
        """
        last = self._last.get(client)
        if last is None:
            return
        left = last.until - self._clock()
        if left <= 0:
            del self._last[client]
        elif last.covers(pictures, tokens):
            raise OverloadedError(
                "a request that is no more work was rejected a moment ago", retry_after_s=max(left, 1.0)
            )
