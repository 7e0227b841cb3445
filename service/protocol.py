"""HTTP/1.1 with a deadline for each request's head: who sends it byte by byte is not waited for.

The server library bounds how long an idle connection is kept and how large a head may be, not how long one may take.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class DeadlineProtocol(H11Protocol):
    """One connection; subclasses say how long a head may take."""

    header_timeout_s: float = 10.0
    """Seconds from the connection, or from a further request's first byte, to the end of the head."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client is there, and must speak soon."""
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Part of a request came."""
        if self.conn.their_state is h11.IDLE:
            self._arm()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.header_timeout_s, self.transport.abort)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def with_deadline(header_timeout_s: float) -> type[DeadlineProtocol]:
    """The protocol with such a deadline."""
    return type("BoundedProtocol", (DeadlineProtocol,), {"header_timeout_s": header_timeout_s})
