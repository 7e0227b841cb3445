"""Queues that prevent one connection, or a flood of requests, from occupying the event loop. Know no HTTP."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

_STARTED_AT_ONCE = 2
"""Requests that are started in one iteration of the event loop."""


class ParseQueue:
    """Connections with more bytes to parse than fit into their share of the event loop; they take turns."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_scheduled = False

    def add(self, loop: asyncio.AbstractEventLoop, parse: Callable[[], None]) -> None:
        """Queue a connection's next share of parsing."""
        self._waiting.append(parse)
        if not self._is_scheduled:
            self._is_scheduled = True
            loop.call_soon(self._run_next, loop)

    def _run_next(self, loop: asyncio.AbstractEventLoop) -> None:
        parse = self._waiting.popleft()
        started = time.perf_counter()
        try:
            parse()
        finally:
            self._is_scheduled = bool(self._waiting)
            if self._is_scheduled:  # leaves as much time to other tasks as parsing has used
                loop.call_later(time.perf_counter() - started, self._run_next, loop)


class StartQueue:
    """Requests that wait to be started: a few in one iteration of the event loop, so that none delays health checks."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_scheduled = False

    def add(self, loop: asyncio.AbstractEventLoop, start: Callable[[], None]) -> None:
        """Start a request now, or after those that wait."""
        if self._is_scheduled:
            self._waiting.append(start)
        else:
            self._is_scheduled = True
            loop.call_soon(self._run_next, loop)
            start()

    def _run_next(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(_STARTED_AT_ONCE, len(self._waiting))):
            self._waiting.popleft()()
        self._is_scheduled = bool(self._waiting)
        if self._is_scheduled:
            loop.call_soon(self._run_next, loop)
