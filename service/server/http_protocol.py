"""HTTP/1.1 over one connection, with limits on the time, bytes, parser work and descriptors that a client can use.

Extends uvicorn's protocol, with its own parsing, timeouts and flow control:

- ``request_reader`` parses in small slices and limits heads and chunks. A connection that has used up its share of the
  event loop waits in a queue, and is not read from meanwhile.
- ``timeouts`` limits the time for heads, bodies, whole exchanges, idle connections and unread replies.
- ``connection_budget`` limits the open connections; connections that wait for their client are closed to make room.
- An unwanted body is not parsed. The reply has ``Connection: close``; further input is then discarded for a moment,
  because closing a connection with unread data resets it, and the client may lose the reply.
"""

import asyncio
from collections import deque
from typing import Any, cast
from uuid import uuid4

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.access.addresses import TrustedProxies, derive_client_key
from service.container import Service
from service.endpoints import OPEN_PATHS
from service.errors import ErrorReply
from service.server.connection_budget import ConnectionBudget, count_available_connections
from service.server.flow_control import BodyFlowControl, InputControl
from service.server.queues import ParseQueue, StartQueue
from service.server.rejections import TOO_MANY_CONNECTIONS, RejectedRequestError, render_rejection
from service.server.request_cycle import ReplyTransport, RequestCycle
from service.server.request_head import RequestHead
from service.server.request_reader import RequestReader
from service.server.timeouts import ConnectionTimeouts, Phase, PhaseTimers

_FIRST_SHARE_S = 0.000_5
_SHARE_S = 0.001
"""Seconds of parsing before a connection has to queue, and in each of its turns."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection; subclasses made by :func:`create_protocol_class` share the limits of one server.

    The parser of the base class is not used; see :class:`RequestReader`.
    """

    timeouts = ConnectionTimeouts()
    """Timeouts of each connection."""

    budget: ConnectionBudget
    """The connections of this server."""

    parse_queue: ParseQueue
    """Connections that have used up their share of parsing."""

    start_queue: StartQueue
    """Requests that wait to be started."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address = ""
        self.client_key = ""
        self._timers = PhaseTimers(self.loop, self.timeouts)
        self._reader = RequestReader(self)
        self._input: InputControl
        """Set when the connection is made."""
        self._active: RequestCycle | None = None
        """The request that the application serves."""
        self._postponed: ErrorReply | None = None
        """Error that is sent after the replies to earlier requests."""
        self._is_lost = False
        self._is_queued = False
        self._is_discarding = False
        self._is_finishing = False
        self._is_health_only = False

    # --- callbacks of the transport ----------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Count the connection; the client must send a request head before the header timeout."""
        super().connection_made(transport)
        self.flow = BodyFlowControl(transport, self._request_more)
        self._input = InputControl(transport, self._timers)
        self.address = self.client[0] if self.client else ""
        self.client_key = derive_client_key(self.address)
        self._is_health_only = not self.budget.add(self)
        if self._is_health_only and self.budget.is_full:
            transport.write(self._render_rejection(TOO_MANY_CONNECTIONS))
            transport.close()
            return
        self.budget.mark_waiting(self)
        self._timers.start(Phase.HEAD, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything that belongs to the connection."""
        self._is_lost = True
        self.budget.remove(self)
        self._timers.stop_all()
        if self._active is not None and not self._active.response_complete:
            self._active.disconnected = True
            self._active.message_event.set()
        self._reader.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse part of a request, or discard part of an unwanted body."""
        if self._is_discarding:
            self._input.discard(len(data))
            return
        self._timers.stop(Phase.IDLE)
        if not self._reader.is_in_body and not self._has_unanswered:
            self._timers.start(Phase.HEAD, self.transport.abort)
        self._reader.add(data)
        if not self._is_queued:
            self._parse(_FIRST_SHARE_S)
        self._update_reading()

    def pause_writing(self) -> None:
        """Wait for a client that reads more slowly than the reply is sent."""
        super().pause_writing()
        if not self._is_finishing:
            self.budget.mark_waiting(self)
        self._timers.start(Phase.SEND, self.transport.abort)

    def resume_writing(self) -> None:
        """Resume sending."""
        self._timers.stop(Phase.SEND)
        if not self._is_finishing:
            self.budget.mark_served(self)
        super().resume_writing()

    # --- parsing -----------------------------------------------------------------------------------------------------

    def _parse(self, share_s: float) -> None:
        try:
            is_done = self._reader.parse(share_s)
        except RejectedRequestError as exc:
            self._reject(exc.reply)
        else:
            if not is_done:
                self._enqueue()

    def _enqueue(self) -> None:
        self._is_queued = True
        self.parse_queue.add(self.loop, self._parse_queued)

    def _parse_queued(self) -> None:
        self._is_queued = False
        if not self._is_lost:
            self._parse(_SHARE_S)
            self._update_reading()

    def _request_more(self) -> None:
        """Receive more of the body, because the application reads it."""
        if self._input.is_paused and not self._is_queued and not self._is_discarding:
            self._enqueue()

    def _update_reading(self) -> None:
        """Read from the client unless received bytes wait to be parsed, or to be read by the application."""
        is_behind = self._reader.has_unparsed or (self._reader.is_in_body and self.is_holding)
        if is_behind and not self._is_discarding:
            self._input.pause()
        else:
            self._input.resume()

    def _discard_input(self) -> None:
        """Discard further input: the body of a request that is already answered."""
        self._is_discarding = True
        self._reader.clear()
        self._timers.stop(Phase.BODY)
        self._update_reading()

    @property
    def _has_unanswered(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # --- callbacks of the reader -------------------------------------------------------------------------------------

    @property
    def is_holding(self) -> bool:
        """Whether parsing waits for the application: for its reply, or until it has read the received body."""
        if self._reader.is_in_body:
            return len(self.cycle.body) > HIGH_WATER_LIMIT
        return self._has_unanswered

    def handle_head(self, head: RequestHead) -> None:
        """Start the application, or queue the request after earlier ones."""
        if self._is_health_only and head.path not in OPEN_PATHS:
            raise RejectedRequestError(TOO_MANY_CONNECTIONS)
        self._timers.stop(Phase.HEAD)
        has_unanswered = self._has_unanswered
        self.cycle = cycle = self._create_cycle(head)
        if has_unanswered:
            self.pipeline.appendleft((cycle, self.app))
        else:
            self._start(cycle)
        if head.body_length != 0:
            self._timers.start(Phase.BODY, self.transport.abort)

    def handle_body(self, data: bytes) -> None:
        """Pass part of the body to the application."""
        if not self.cycle.response_complete and not self._is_discarding:
            self.cycle.body += data
            self.cycle.message_event.set()

    def handle_end(self) -> None:
        """Signal the end of the body to the application."""
        self._timers.stop(Phase.BODY)
        if not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    # --- replies -----------------------------------------------------------------------------------------------------

    def _create_cycle(self, head: RequestHead) -> RequestCycle:
        self.on_message_begin()  # creates the scope
        self.headers.extend(head.headers)
        self.scope["method"], self.scope["http_version"] = head.method, head.version
        self.scope["path"] = self.root_path + head.path
        self.scope["raw_path"] = self.root_path.encode("ascii") + head.raw_path
        self.scope["query_string"] = head.query
        cycle = RequestCycle(
            scope=self.scope,
            transport=cast(asyncio.Transport, ReplyTransport(self.transport, self.finish)),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,  # the access log contains query strings
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=head.expects_continue,
            keep_alive=head.keeps_alive,
            on_response=self.on_response_complete,
        )
        cycle.discard_body = self._discard_input
        return cycle

    def _start(self, cycle: RequestCycle) -> None:
        self._active = cycle
        self._timers.start(Phase.EXCHANGE, self.transport.abort)
        if cycle.scope["path"] in OPEN_PATHS:
            self._start_unless_disconnected(cycle)
        else:
            self.start_queue.add(self.loop, lambda: self._start_unless_disconnected(cycle))

    def _start_unless_disconnected(self, cycle: RequestCycle) -> None:
        if not cycle.disconnected:
            self.budget.mark_served(self)
            task = self.loop.create_task(cycle.run_asgi(self.app))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    def on_response_complete(self) -> None:
        """Continue with the next request, or wait for one, because a reply is complete."""
        self.server_state.total_requests += 1
        self._timers.stop(Phase.EXCHANGE)
        if self._is_finishing or self.transport.is_closing():
            return
        if self.pipeline:
            cycle, _ = self.pipeline.pop()
            self._start(cast(RequestCycle, cycle))
            return
        if self._postponed is not None:
            self._send_rejection(self._postponed)
            return
        self.budget.mark_waiting(self)
        if self._reader.has_unparsed or self._reader.is_in_head:
            self._timers.start(Phase.HEAD, self.transport.abort)
            if self._reader.has_unparsed and not self._is_queued:
                self._enqueue()
        else:
            self._timers.start(Phase.IDLE, self.finish)

    def _reject(self, reply: ErrorReply) -> None:
        """Answer an invalid request, after the replies to earlier ones."""
        failed = cast(RequestCycle, self.cycle) if self._reader.is_in_body else None
        if failed is not None and failed is self._active:
            if failed.response_started:
                self.transport.abort()
                return
            failed.disconnected = True
            failed.message_event.set()
        elif failed is not None or self._has_unanswered:
            self.pipeline = deque(queued for queued in self.pipeline if queued[0] is not failed)
            self._postponed = reply
            self._discard_input()
            return
        self._send_rejection(reply)

    def _send_rejection(self, reply: ErrorReply) -> None:
        self._is_discarding = True
        self.transport.write(self._render_rejection(reply))
        self.finish()

    def _render_rejection(self, reply: ErrorReply) -> bytes:
        """Render an error that is sent without the application, and count and log it like the application's errors."""
        request_id = f"guard-{uuid4().hex}"
        service = self.app_state.get("service")
        if isinstance(service, Service):
            service.metrics.rejected.labels(reply.code).inc()
            service.metrics.http_requests.labels("other", str(reply.status)).inc()
            service.rejection_log.log(
                {"request_id": request_id, "endpoint": "other", "status": reply.status, "error": reply.code}
            )
        return render_rejection(reply, request_id, self.server_state.default_headers)

    # --- the end of the connection -----------------------------------------------------------------------------------

    def finish(self) -> None:
        """Close the connection once all output is sent; discard input until the client has received the output."""
        if self._is_finishing or self.transport.is_closing():
            return
        self._is_finishing = True
        self._timers.stop(Phase.HEAD, Phase.BODY, Phase.EXCHANGE, Phase.IDLE)
        self.budget.mark_lingering(self)
        has_input = self._reader.is_in_body or self._reader.has_unparsed or self._is_discarding
        if has_input and self.transport.can_write_eof():
            self._discard_input()
            try:
                self.transport.write_eof()
            except OSError:  # the client has closed the connection, but the event loop has not noticed yet
                self.transport.abort()
                return
            self._timers.start(Phase.LINGER, self._end_lingering)
        else:
            self.transport.close()
            self._timers.start(Phase.SEND, self.transport.abort)

    def _end_lingering(self) -> None:
        self._timers.stop(Phase.LINGER)
        if self.transport.get_write_buffer_size():  # the client has not even read its reply yet
            self._timers.start(Phase.LINGER, self.transport.abort, seconds=self.timeouts.send_timeout_s)
        else:
            self.transport.abort()


def create_protocol_class(
    timeouts: ConnectionTimeouts, *, max_connections: int | None = None, trusted_proxies: tuple[str, ...] = ()
) -> type[BoundedProtocol]:
    """Create the protocol of one server, whose connections share its limits.

    Args:
        timeouts: timeouts of each connection.
        max_connections: connections at a time, further limited by the available file descriptors; None: only by file
            descriptors.
        trusted_proxies: addresses and networks without a limit per address.
    """
    available = count_available_connections()
    total = available if max_connections is None else min(max_connections, available)
    return type(
        "ServerProtocol",
        (BoundedProtocol,),
        {
            "timeouts": timeouts,
            "budget": ConnectionBudget(total, TrustedProxies(trusted_proxies)),
            "parse_queue": ParseQueue(),
            "start_queue": StartQueue(),
        },
    )
