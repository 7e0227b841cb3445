"""Timeouts of one connection: for clients that send or read slowly (slowloris protection), and for idle connections.

Each phase of a connection has a timer of its own. Knows no HTTP and no sockets.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

_BODY_GRACE_S = 5.0
"""Seconds after the timeout of the body in which the application can still answer with an error."""

_LINGER_S = 2.0
"""Seconds after the last reply in which further input is discarded."""


class Phase(StrEnum):
    """A phase of a connection, which has a timeout. Phases can overlap."""

    HEAD = "head"
    BODY = "body"
    EXCHANGE = "exchange"
    SEND = "send"
    IDLE = "idle"
    LINGER = "linger"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionTimeouts:
    """Durations of the phases, in seconds."""

    header_timeout_s: float = 10.0
    """From the connection, or from the first byte of a further request, to the end of the request head."""

    body_timeout_s: float = 30.0
    """From the end of the head to the end of the body. The application enforces it; the connection a little later."""

    exchange_timeout_s: float = 600.0
    """From the end of the head to the end of the reply."""

    send_timeout_s: float = 30.0
    """Time in which the client must have read part of a full send buffer."""

    keep_alive_timeout_s: float = 75.0
    """Time for which an idle connection is kept."""

    @property
    def seconds(self) -> dict[Phase, float]:
        """Durations of the phases with a fixed duration."""
        return {
            Phase.HEAD: self.header_timeout_s,
            Phase.BODY: self.body_timeout_s + _BODY_GRACE_S,
            Phase.EXCHANGE: self.exchange_timeout_s,
            Phase.SEND: self.send_timeout_s,
            Phase.IDLE: self.keep_alive_timeout_s,
            Phase.LINGER: _LINGER_S,
        }


class PhaseTimers:
    """The running timers of one connection.

    Args:
        loop: the event loop that calls back.
        timeouts: durations of the phases.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeouts: ConnectionTimeouts) -> None:
        self._loop = loop
        self._seconds = timeouts.seconds
        self._running: dict[Phase, asyncio.TimerHandle] = {}

    def start(self, phase: Phase, callback: Callable[[], object], *, seconds: float | None = None) -> None:
        """Call back at the end of a phase, unless its timer is running already.

        Args:
            phase: the phase that begins.
            callback: called when the time is over.
            seconds: duration, if the phase has no fixed one.
        """
        if phase not in self._running:
            duration = self._seconds[phase] if seconds is None else seconds
            self._running[phase] = self._loop.call_later(duration, callback)

    def stop(self, *phases: Phase) -> None:
        """Stop the timers of these phases, if they are running."""
        for phase in phases:
            timer = self._running.pop(phase, None)
            if timer is not None:
                timer.cancel()

    def stop_all(self) -> None:
        """Stop every timer."""
        self.stop(*self._running)

    def is_running(self, phase: Phase) -> bool:
        """Whether a phase has begun and was not stopped."""
        return phase in self._running
