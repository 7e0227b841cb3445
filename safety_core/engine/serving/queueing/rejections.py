"""Remembers requests that were rejected after preparation, and rejects similar requests before it for a while.

The exact amount of work of a request is known only once it is prepared, which takes time from other requests. Otherwise
every expensive request that a client sends to a full queue would be prepared in vain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from safety_core.errors import OverloadedError

LONGEST_S = 2.0
"""Maximum time in seconds for which a rejection counts: sometimes work leaves the queue faster than expected."""

MANY_IMAGES = 4
"""Number of images from which a request is rejected by its number of images, before they are decoded."""

MANY_TOKENS = 128
"""Minimum work of a text, in tokens, whose preparation takes noticeable time."""

MAX_CLIENTS = 1024
"""Maximum number of clients whose last rejection is remembered."""


@dataclass(frozen=True, slots=True)
class _Rejection:
    until: float
    images: int
    tokens: int

    def matches(self, images: int, tokens: int | None) -> bool:
        """Whether a request is at least as much work; if ``tokens`` is None, by its number of images only."""
        if images < self.images:
            return False
        return self.images >= MANY_IMAGES if tokens is None else tokens >= self.tokens


class Rejections:
    """The last rejection of each client. Use from one event loop only.

    Args:
        clock: returns monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, _Rejection] = {}

    def add(self, client: str, images: int, tokens: int, retry_after_s: float) -> None:
        """Record that a request was rejected, unless its preparation takes hardly any time.

        Args:
            client: key of its client.
            images: number of its images.
            tokens: minimum work of judging its text, as known before its preparation.
            retry_after_s: seconds until there may be room again.
        """
        if images < MANY_IMAGES and tokens < MANY_TOKENS:
            return
        self._last.pop(client, None)
        if len(self._last) >= MAX_CLIENTS:
            del self._last[next(iter(self._last))]
        self._last[client] = _Rejection(self._clock() + min(retry_after_s, LONGEST_S), images, tokens)

    def require_none(self, client: str, images: int, tokens: int | None = None) -> None:
        """Raise OverloadedError if an equal or smaller request of this client was rejected a moment ago.

        Args:
            client: key of the client.
            images: number of images of the new request.
            tokens: minimum work of judging its text; None if unknown, in which case only the images are compared.
        """
        last = self._last.get(client)
        if last is None:
            return
        left = last.until - self._clock()
        if left <= 0:
            del self._last[client]
        elif last.matches(images, tokens):
            raise OverloadedError(
                "an equal or smaller request of this client was rejected a moment ago", retry_after_s=max(left, 1.0)
            )
