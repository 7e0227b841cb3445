"""Flow control of one connection: when input is read from the socket, and how fast unwanted input is discarded."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl

from service.server.timeouts import Phase, PhaseTimers

_MAX_DISCARDED_BYTES = 32 * 1024 * 1024
_DISCARDED_BYTES_PER_S = 64 * 1024 * 1024
"""Limits on discarded input and its rate: a local client could otherwise keep the event loop busy."""

_MIN_PAUSE_S = 0.001


class BodyFlowControl(FlowControl):
    """Flow control of an exchange, which leaves the decision about reading to the connection.

    Args:
        transport: the connection's transport.
        request_more: called when the application wants more of the body, or is done with it.
    """

    def __init__(self, transport: asyncio.Transport, request_more: Callable[[], None]) -> None:
        super().__init__(transport)
        self._request_more = request_more

    def pause_reading(self) -> None:
        """Do nothing; the connection decides."""

    def resume_reading(self) -> None:
        """Request more of the body."""
        self._request_more()


class InputControl:
    """Pauses and resumes reading from a transport, and discards unwanted input at a limited rate.

    Args:
        transport: the connection's transport.
        timers: timers of the connection.
    """

    def __init__(self, transport: asyncio.Transport, timers: PhaseTimers) -> None:
        self._transport = transport
        self._timers = timers
        self._discarded = 0
        self.is_paused = False
        """Whether nothing is read from the socket."""

    def pause(self) -> None:
        """Read nothing more for now."""
        if not self.is_paused and not self._transport.is_closing():
            self.is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on, unless a pause after discarded input is not over."""
        if self._timers.is_running(Phase.DISCARD):
            return
        if self.is_paused and not self._transport.is_closing():
            self.is_paused = False
            self._transport.resume_reading()

    def discard(self, size: int) -> None:
        """Count discarded bytes and pause for as long as their rate requires; abort the connection above the limit."""
        self._discarded += size
        if self._discarded > _MAX_DISCARDED_BYTES:
            self._transport.abort()
            return
        self.pause()
        pause_s = max(_MIN_PAUSE_S, size / _DISCARDED_BYTES_PER_S)
        self._timers.start(Phase.DISCARD, self._end_pause, seconds=pause_s)

    def _end_pause(self) -> None:
        self._timers.stop(Phase.DISCARD)
        self.resume()
