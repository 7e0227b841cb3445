"""Estimates how long the waiting pictures take to be read, so that requests that come too late are rejected at once.

Knows no reader. Use from one event loop only.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from safety_core.engine.serving.queueing.backlog import create_overloaded_error

_FIRST_S = 0.3
"""Assumed seconds of the first picture."""

_SHARE = 0.1
"""Weight of the newest duration in the running mean."""


class ReadingBacklog:
    """The pictures that wait to be read or are being read, by client.

    Args:
        slots: number of pictures that are read at the same time.
        clock: returns monotonic time in seconds.
    """

    def __init__(self, slots: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = slots
        self._clock = clock
        self._waiting: Counter[str] = Counter()
        self._picture_s = _FIRST_S

    def require_room(self, client: str, pictures: int, deadline: float) -> None:
        """Raise OverloadedError if pictures could not be read before a deadline, given that clients take turns.

        Args:
            client: key of the client.
            pictures: number of pictures; nothing is checked if it is 0.
            deadline: latest time, by the clock.
        """
        if not pictures:
            return
        own = self._waiting[client] + pictures
        others = sum(min(count, own) for other, count in self._waiting.items() if other != client)
        needed_s = (own + others) * self._picture_s / self._slots
        if own + others > pictures and self._clock() + needed_s > deadline:
            raise create_overloaded_error("too many pictures are waiting to be read", needed_s)

    @contextmanager
    def add(self, client: str, pictures: int) -> Iterator[None]:
        """Count pictures as waiting while the context lasts."""
        self._waiting[client] += pictures
        try:
            yield
        finally:
            self._waiting[client] -= pictures
            if not self._waiting[client]:
                del self._waiting[client]

    def record(self, seconds: float) -> None:
        """Record the duration of reading one picture."""
        self._picture_s += _SHARE * (seconds - self._picture_s)
