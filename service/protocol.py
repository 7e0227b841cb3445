"""HTTP/1.1 with deadlines: who sends a request's head byte by byte, or does not read its reply, is not waited for.

The server library bounds how long an idle connection is kept and how large a head may be, not how long one may take,
nor how long a client may leave its reply unread.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class DeadlineProtocol(H11Protocol):
    """One connection; subclasses say how long a client may take."""

    header_timeout_s: float = 10.0
    """Seconds from the connection, or from a further request's first byte, to the end of the head."""

    send_timeout_s: float = 30.0
    """Seconds that a full buffer may stay full."""

    _speaks_by: asyncio.TimerHandle | None = None
    _reads_by: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client is there, and must speak soon."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Part of a request came."""
        if self.conn.their_state is h11.IDLE:
            self._expect_head()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._speaks_by = _cancelled(self._speaks_by)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is told."""
        super().pause_writing()
        self._reads_by = self.loop.call_later(self.send_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads on."""
        self._reads_by = _cancelled(self._reads_by)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._speaks_by, self._reads_by = _cancelled(self._speaks_by), _cancelled(self._reads_by)
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._speaks_by is None:
            self._speaks_by = self.loop.call_later(self.header_timeout_s, self.transport.abort)


def with_deadlines(*, header_timeout_s: float, send_timeout_s: float) -> type[DeadlineProtocol]:
    """The protocol with such deadlines."""
    deadlines = {"header_timeout_s": header_timeout_s, "send_timeout_s": send_timeout_s}
    return type("BoundedProtocol", (DeadlineProtocol,), deadlines)


def _cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """What a timer's place holds once it is cancelled: nothing."""
    if timer is not None:
        timer.cancel()
    return None
