"""HTTP/1.1 over one connection, with bounds on what a client can cost: time, bytes, parser work and descriptors.

Extends uvicorn's protocol for ``httptools``, whose parser is written in C: a one-byte chunk takes about a microsecond.
In addition:

- Bytes are parsed in small slices. A connection that has used up its share of the event loop waits in a queue, and is
  not read from meanwhile.
- Heads, header lines, chunks and the framing around chunks are capped.
- Head, body, whole exchange, idle time and unread replies have deadlines.
- An unwanted body is not parsed. The reply says ``Connection: close``; further input is then discarded for a moment,
  because closing a connection with unread data resets it, and the client may lose the reply.
- The number of open connections is capped, in total and per address. Connections that wait for their client are closed
  to make room.
"""

import asyncio
import json
import logging
import os
import resource
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote
from uuid import uuid4

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.access.addresses import TrustedProxies, derive_client_key, is_loopback
from service.access.origins import parse_authority
from service.container import Service
from service.endpoints import OPEN_PATHS
from service.errors import BUSY, INVALID, ErrorReply

_logger = logging.getLogger(__name__)

_MAX_HEAD_BYTES = 32 * 1024
_MAX_TARGET_BYTES = 8 * 1024
_MAX_HEADER_LINES = 100

_MAX_SMALL_CHUNKS = 16_384
"""Chunks of one body, in addition to one for each kilobyte; encoders that write single tokens need some thousands."""

_MAX_FRAMING_BYTES = 512 * 1024
"""Bytes of chunk sizes, extensions and ends, and of the trailer, in one body."""

_HEAD_SLICE = 1024
_CHUNKED_SLICE = 4096
_BODY_SLICE = 64 * 1024
"""Bytes that are parsed at a time: fewer if a byte can cause more work."""

_FIRST_SHARE_S = 0.000_5
_SHARE_S = 0.001
"""Seconds of parsing before a connection has to queue, and in each of its turns."""

_LINGER_S = 2.0
"""Seconds after a reply in which the rest of an unwanted body is discarded."""

_LINGER_BYTES = 32 * 1024 * 1024
_DISCARD_BYTES_PER_S = 64 * 1024 * 1024
"""Limits on the discarded bytes and their rate: a local client could otherwise keep the event loop busy."""

_MIN_PAUSE_S = 0.001

_BODY_GRACE_S = 5.0
"""Seconds after the body's deadline in which the application can still report the timeout."""

ACCEPTED_AT_ONCE = 8
"""Connections that are accepted in one turn of the event loop, before the limits here apply to them."""

_STARTED_AT_ONCE = 2
"""Requests that are started in one turn of the event loop."""

_LISTEN_BACKLOG = 1024

_HEALTH_RESERVE = 8
"""Connections over the limit that only serve health checks."""

_OTHER_DESCRIPTORS = 64
"""File descriptors reserved for other uses: files, the audit log, fetched pictures."""

_MAX_CONNECTIONS = 4096

_ACCEPT_COMPLAINT_EVERY_S = 60.0

_MALFORMED = ErrorReply(status=400, message="The request is not valid HTTP.", type=INVALID, code="bad_request")
_LONG_HEAD = ErrorReply(
    status=431, message="The request headers are too large.", type=INVALID, code="headers_too_large"
)
_LONG_TARGET = ErrorReply(status=414, message="The request target is too long.", type=INVALID, code="uri_too_long")
_TINY_CHUNKS = ErrorReply(
    status=400, message="The body has too many small chunks.", type=INVALID, code="too_many_chunks"
)
_NO_SUCH_METHOD = ErrorReply(status=501, message="The method is unknown.", type=INVALID, code="method_not_allowed")
_NO_SUCH_CODING = ErrorReply(
    status=501, message="The only supported transfer coding is chunked.", type=INVALID, code="transfer_encoding"
)
_NO_SUCH_VERSION = ErrorReply(
    status=505, message="Only HTTP/1.0 and HTTP/1.1 are supported.", type=INVALID, code="http_version"
)
_BAD_HOST = ErrorReply(
    status=400, message="The request must have exactly one valid Host header.", type=INVALID, code="bad_host"
)
_FULL = ErrorReply(
    status=503, message="Too many connections are open.", type=BUSY, code="too_many_connections", retry_after_s=1
)


class _RefusedError(Exception):
    """Raised in the parser's callbacks to answer a request without the application."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.code)
        self.reply = reply


class ConnectionLimits:
    """The connections of one server: counts them and selects those that can be closed to make room.

    Args:
        total: maximum number of connections.
        proxies: peers that represent many clients.
    """

    def __init__(self, total: int, proxies: TrustedProxies | None = None) -> None:
        self.total = total
        self._proxies = proxies or TrustedProxies(())
        self._by_key: dict[str, set[BoundedProtocol]] = {}
        self._waiting: dict[str, dict[BoundedProtocol, None]] = {}
        """Connections that wait for their client, by address, the longest waiting first."""
        self._lingering: dict[BoundedProtocol, None] = {}
        """Connections that were answered and wait for their client to close."""
        self._count = 0

    def add(self, protocol: "BoundedProtocol") -> ErrorReply | None:
        """Count a new connection, and make room for it.

        Returns:
            None if it may be used; otherwise the error for all requests except health checks (see :attr:`is_full`).
        """
        key = protocol.address
        shared = not key or is_loopback(key) or self._proxies.includes(key)
        self._by_key.setdefault(protocol.client_key, set()).add(protocol)
        self._count += 1
        own = self._by_key[protocol.client_key]
        if not shared and len(own) > max(1, self.total // 2) and not self._evict(protocol.client_key):
            return _FULL
        if self._count > self.total and not self._evict(None):
            return _FULL
        return None

    @property
    def is_full(self) -> bool:
        """Whether the connections reserved for health checks are used up, too."""
        return self._count > self.total + _HEALTH_RESERVE

    def remove(self, protocol: "BoundedProtocol") -> None:
        """Remove a closed connection."""
        self.works(protocol)
        if self._is_open(protocol):
            self._count -= 1
            own = self._by_key[protocol.client_key]
            own.discard(protocol)
            if not own:
                del self._by_key[protocol.client_key]

    def waits(self, protocol: "BoundedProtocol") -> None:
        """The connection waits for its client and may be closed to make room."""
        if not self._is_open(protocol):
            return
        own = self._waiting.setdefault(protocol.client_key, {})
        own.pop(protocol, None)
        own[protocol] = None

    def lingers(self, protocol: "BoundedProtocol") -> None:
        """The connection has sent its last reply and is closed first to make room."""
        self.works(protocol)
        if self._is_open(protocol):
            self._lingering[protocol] = None

    def works(self, protocol: "BoundedProtocol") -> None:
        """The connection is being served and must not be closed."""
        self._lingering.pop(protocol, None)
        own = self._waiting.get(protocol.client_key)
        if own is not None:
            own.pop(protocol, None)
            if not own:
                del self._waiting[protocol.client_key]

    def _is_open(self, protocol: "BoundedProtocol") -> bool:
        return protocol in self._by_key.get(protocol.client_key, ())

    def _evict(self, key: str | None) -> bool:
        """Close the longest waiting connection of an address; if None, of the address with the most connections."""
        victim = next((one for one in self._lingering if key in (None, one.client_key)), None)
        if victim is None:
            if key is None:
                key = max(self._waiting, key=lambda one: len(self._by_key.get(one, ())), default=None)
            victim = next(iter(self._waiting.get(key or "", ())), None)
        if victim is None:
            return False
        self.remove(victim)
        victim.transport.abort()
        return True


class _ParseQueue:
    """Connections with bytes to parse that have used up their share of the event loop; they take turns."""

    def __init__(self) -> None:
        self._waiting: deque[BoundedProtocol] = deque()
        self._scheduled = False

    def add(self, protocol: "BoundedProtocol") -> None:
        """Queue a connection for its next turn."""
        self._waiting.append(protocol)
        if not self._scheduled:
            self._scheduled = True
            protocol.loop.call_soon(self._turn)

    def _turn(self) -> None:
        protocol = self._waiting.popleft()
        started = time.perf_counter()
        try:
            protocol.parse_queued()
        finally:
            self._scheduled = bool(self._waiting)
            if self._scheduled:  # as much time for everything else as for this
                protocol.loop.call_later(time.perf_counter() - started, self._turn)


class _StartQueue:
    """Requests that wait to be started: few in one turn of the event loop, so that a flood delays no health check."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._scheduled = False

    def add(self, loop: asyncio.AbstractEventLoop, start: Callable[[], None]) -> None:
        """Start a request now, or when its turn comes."""
        if self._scheduled:
            self._waiting.append(start)
        else:
            self._scheduled = True
            loop.call_soon(self._turn, loop)
            start()

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(_STARTED_AT_ONCE, len(self._waiting))):
            self._waiting.popleft()()
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            loop.call_soon(self._turn, loop)


class _Flow(FlowControl):
    """Flow control that leaves reading to the protocol."""

    def __init__(self, transport: asyncio.Transport, protocol: "BoundedProtocol") -> None:
        super().__init__(transport)
        self._protocol = protocol

    def pause_reading(self) -> None:
        """Do nothing; the protocol decides."""

    def resume_reading(self) -> None:
        """The application needs more of the body, or is done."""
        self._protocol.application_wants_more()


class _ReplyTransport:
    """The transport of a request cycle; closing it goes through the protocol."""

    def __init__(self, protocol: "BoundedProtocol") -> None:
        self._protocol = protocol
        self.write = protocol.transport.write

    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._protocol.transport.is_closing()

    def close(self) -> None:
        """Send what was written, then close."""
        self._protocol.finish()


class _Cycle(RequestResponseCycle):
    """One request and its reply."""

    protocol: "BoundedProtocol"

    ends_with_connection = False
    """Whether only the end of the connection marks the end of the reply: HTTP/1.0 has no chunks."""

    async def send(self, message: Any) -> None:
        """Send part of the reply; the rest of the request body is unwanted from then on."""
        if message["type"] == "http.response.start" and not self.response_started:
            if self.more_body and not self.disconnected:
                self.keep_alive = False
                self.protocol.stop_parsing()
            if self.scope["http_version"] == "1.0":
                names = {name.lower() for name, _ in message.get("headers", ())}
                self.ends_with_connection = b"content-length" not in names
                self.chunked_encoding = False if self.ends_with_connection else None
        elif self.ends_with_connection:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


class BoundedProtocol(HttpToolsProtocol):
    """One connection; subclasses made by :func:`with_deadlines` define the timeouts and limits."""

    header_timeout_s: float = 10.0
    """Seconds from the connection, or from a further request's first byte, to the end of the head."""

    body_timeout_s: float = 30.0
    """Seconds from the end of the head to the end of the body, some seconds of grace added."""

    exchange_timeout_s: float = 600.0
    """Seconds from the end of the head to the end of the reply."""

    send_timeout_s: float = 30.0
    """Seconds that a full buffer may stay full."""

    keep_alive_timeout_s: float = 75.0
    """Seconds that an idle connection is kept."""

    limits: ConnectionLimits
    """The connections of this server."""

    queue: _ParseQueue
    """Connections that have used up their share of parsing."""

    starts: _StartQueue
    """Requests that wait to be started."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address = ""
        self.client_key = ""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._unparsed = bytearray()
        self._is_queued = False
        self._is_paused = False
        self._is_replaying = False
        self._is_discarding = False
        self._is_finishing = False
        self._only_health = False
        self._discarded = 0
        self._refusal: ErrorReply | None = None
        self._postponed: ErrorReply | None = None
        self._active: _Cycle | None = None
        # Of the message that is being parsed:
        self._in_head = False
        self._has_body_left = False
        self._head_bytes = 0
        self._header_lines = 0
        self._length: int | None = 0
        self._chunks = 0
        self._body_bytes = 0
        self._framing_bytes = 0

    # --- the transport calls -----------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """A client connected; it must send a request before the header timeout."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self)
        self.address = self.client[0] if self.client else ""
        self.client_key = derive_client_key(self.address)
        refusal = self.limits.add(self)
        if refusal is not None and self.limits.is_full:
            transport.write(self._error(refusal))
            transport.close()
            return
        self._only_health = refusal is not None
        self.limits.waits(self)
        self._arm("head", self.header_timeout_s, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self.limits.remove(self)
        for name in list(self._timers):
            self._disarm(name)
        if self._active is not None and not self._active.response_complete:
            self._active.disconnected = True
            self._active.message_event.set()
        self._unparsed.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Part of a request or of an unwanted body arrived."""
        if self._is_discarding:
            self._discard(len(data))
            return
        self._disarm("idle")
        if not self._has_body_left and not self._has_unanswered:
            self._arm("head", self.header_timeout_s, self.transport.abort)
        self._unparsed += data
        if not self._is_queued:
            self._parse(_FIRST_SHARE_S)
        self._decide_reading()

    def pause_writing(self) -> None:
        """The client reads more slowly than the reply is sent."""
        super().pause_writing()
        if not self._is_finishing:
            self.limits.waits(self)
        self._arm("send", self.send_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads on."""
        self._disarm("send")
        if not self._is_finishing:
            self.limits.works(self)
        super().resume_writing()

    # --- parsing -----------------------------------------------------------------------------------------------------

    def parse_queued(self) -> None:
        """Continue parsing in this connection's turn."""
        self._is_queued = False
        if self.parser is None:  # lost
            return
        self._parse(_SHARE_S)
        self._decide_reading()

    def application_wants_more(self) -> None:
        """The application reads the body, so more of it can be received."""
        if self._is_paused and not self._is_queued and not self._is_discarding:
            self._enqueue()

    def stop_parsing(self) -> None:
        """Discard further input: the body of a request that is already answered."""
        self._is_discarding = True
        self._unparsed.clear()
        self._disarm("body")
        self._decide_reading()

    @property
    def _has_unanswered(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _is_held(self) -> bool:
        """Whether parsing has to wait for the application: for its reply, or until it has read the received body."""
        if self._has_body_left:
            return len(self.cycle.body) > HIGH_WATER_LIMIT
        return self._has_unanswered

    def _parse(self, share_s: float) -> None:
        until = time.perf_counter() + share_s
        while self._unparsed and not self._is_held and self.parser is not None:
            size = _HEAD_SLICE
            if self._has_body_left:
                size = _CHUNKED_SLICE if self._length is None else min(_BODY_SLICE, self._length - self._body_bytes)
            piece = bytes(self._unparsed[:size])
            del self._unparsed[:size]
            self._feed(piece)
            if self._unparsed and time.perf_counter() > until:
                self._enqueue()
                return

    def _feed(self, piece: bytes) -> None:
        body_before, was_in_body = self._body_bytes, self._has_body_left
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as exc:
            self._go_on_without_upgrade(piece[exc.args[0] :])
            return
        except httptools.HttpParserInvalidMethodError:
            self._fail(_NO_SUCH_METHOD)
            return
        except httptools.HttpParserError:
            self._fail(self._refusal or _MALFORMED)
            return
        if not self._has_body_left:
            self._head_bytes += 0 if was_in_body else len(piece)  # the end of a body is no part of the next head
            if self._head_bytes > _MAX_HEAD_BYTES + _HEAD_SLICE:
                self._fail(_LONG_HEAD)
        elif self._length is None:
            self._framing_bytes += len(piece) - (self._body_bytes - body_before)
            if self._framing_bytes > _MAX_FRAMING_BYTES:
                self._fail(_TINY_CHUNKS)

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Ignore ``Upgrade``, which the parser treats as the end of HTTP on this connection.

        Some clients send it with their first request, which may have a body, so a new parser continues with the body.
        """
        self.parser = httptools.HttpRequestParser(self)
        if self._has_body_left:
            framing = "transfer-encoding: chunked" if self._length is None else f"content-length: {self._length}"
            self._is_replaying = True
            self.parser.feed_data(f"POST / HTTP/1.1\r\n{framing}\r\n\r\n".encode())
            self._is_replaying = False
        self._unparsed[:0] = rest

    def _refuse(self, reply: ErrorReply) -> None:
        """Abort the parser from within one of its callbacks."""
        self._refusal = reply
        raise _RefusedError(reply)

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._is_replaying:
            return
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._header_lines = self._chunks = self._body_bytes = self._framing_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Part of the target."""
        if self._is_replaying:
            return
        super().on_url(url)
        if len(self.url) > _MAX_TARGET_BYTES:
            self._refuse(_LONG_TARGET)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a line of the trailer, which is ignored because the application is already running."""
        if self._is_replaying:
            return
        self._header_lines += 1
        if self._header_lines > _MAX_HEADER_LINES:
            self._refuse(_LONG_HEAD)
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete: start the application, or queue the request after earlier ones."""
        if self._is_replaying:
            return
        version, method = self.parser.get_http_version(), self.parser.get_method().decode("ascii")
        if version not in ("1.0", "1.1"):
            self._refuse(_NO_SUCH_VERSION)
        if method == "CONNECT":
            self._refuse(_NO_SUCH_METHOD)
        hosts = [value.decode("latin-1") for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            self._refuse(_BAD_HOST)
        self._length = self._body_length(version)
        raw_path, query = self._split_target(method, hosts)
        path = unquote(raw_path.decode("ascii"))
        if self._only_health and path not in OPEN_PATHS:
            self._refuse(_FULL)
        self.scope["method"], self.scope["http_version"] = method, version
        self.scope["path"] = self.root_path + path
        self.scope["raw_path"] = self.root_path.encode("ascii") + raw_path
        self.scope["query_string"] = query
        self._in_head, self._has_body_left = False, True
        self._head_bytes = 0
        self._disarm("head")
        waits = self._has_unanswered
        self.cycle = cycle = self._new_cycle(keeps_alive=version == "1.1" and self.parser.should_keep_alive())
        if waits:
            self.pipeline.appendleft((cycle, self.app))
        else:
            self._start(cycle)
        if self._length != 0:
            self._arm("body", self.body_timeout_s + _BODY_GRACE_S, self.transport.abort)

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._body_bytes += len(body)
        self._chunks += self._length is None
        if self._chunks > _MAX_SMALL_CHUNKS + self._body_bytes // 1024:
            self._refuse(_TINY_CHUNKS)
        if not self.cycle.response_complete and not self._is_discarding:
            self.cycle.body += body
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._is_replaying or (self.parser.should_upgrade() and self._length != 0):  # its body was only skipped
            return
        self._has_body_left = False
        self._head_bytes = 0
        self._disarm("body")
        if not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def _body_length(self, version: str) -> int | None:
        """Bytes of the body; None if it is chunked. The parser has checked the numbers."""
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings:
            if version == "1.0" or codings != [b"chunked"]:
                self._refuse(_NO_SUCH_CODING)
            return None
        return next((int(value) for name, value in self.headers if name == b"content-length"), 0)

    def _split_target(self, method: str, hosts: list[str]) -> tuple[bytes, bytes]:
        """Path and query of the request's target, which may be a whole URL, as for a proxy."""
        target = self.url
        if b"#" in target:
            self._refuse(_MALFORMED)
        if not target.startswith(b"/") and not (target == b"*" and method == "OPTIONS"):
            scheme, separator, rest = target.partition(b"://")
            if not separator or scheme.lower() not in (b"http", b"https"):
                self._refuse(_MALFORMED)
            cut = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
            self._check_authority(rest[:cut].decode("ascii"), hosts)
            target = rest[cut:] if rest[cut : cut + 1] == b"/" else b"/" + rest[cut:]
        raw_path, _, query = target.partition(b"?")
        return raw_path, query

    def _check_authority(self, authority: str, hosts: list[str]) -> None:
        """Reject a target whose host differs from the ``Host`` header, because each could pass a check of the other."""
        try:
            agrees = all(parse_authority(host) == parse_authority(authority) for host in hosts)
        except ValueError:
            agrees = False
        if not agrees:
            self._refuse(_BAD_HOST)

    # --- replies -----------------------------------------------------------------------------------------------------

    def _new_cycle(self, *, keeps_alive: bool) -> _Cycle:
        cycle = _Cycle(
            scope=self.scope,
            transport=cast(asyncio.Transport, _ReplyTransport(self)),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,  # it would write query strings
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and self.scope["http_version"] != "1.0",  # knows no 100
            keep_alive=keeps_alive,
            on_response=self.on_response_complete,
        )
        cycle.protocol = self
        return cycle

    def _start(self, cycle: _Cycle) -> None:
        self._active = cycle
        self._arm("exchange", self.exchange_timeout_s, self.transport.abort)
        if cycle.scope["path"] in OPEN_PATHS:
            self._start_unless_lost(cycle)
        else:
            self.starts.add(self.loop, lambda: self._start_unless_lost(cycle))

    def _start_unless_lost(self, cycle: _Cycle) -> None:
        if not cycle.disconnected:
            self.limits.works(self)
            task = self.loop.create_task(cycle.run_asgi(self.app))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    def on_response_complete(self) -> None:
        """A reply is complete: continue with the next request, or wait for one."""
        self.server_state.total_requests += 1
        self._disarm("exchange")
        if self._is_finishing or self.transport.is_closing():
            return
        if self.pipeline:
            cycle, _ = self.pipeline.pop()
            self._start(cast(_Cycle, cycle))
            return
        if self._postponed is not None:
            self._answer(self._postponed)
            return
        self.limits.waits(self)
        if self._unparsed or self._in_head:
            self._arm("head", self.header_timeout_s, self.transport.abort)
            if self._unparsed and not self._is_queued:
                self._enqueue()
        else:
            self._arm("idle", self.keep_alive_timeout_s, self.finish)

    def finish(self) -> None:
        """Close the connection once all output is sent; discard input until the client has received the output."""
        if self._is_finishing or self.transport.is_closing():
            return
        self._is_finishing = True
        for name in ("head", "body", "exchange", "idle"):
            self._disarm(name)
        self.limits.lingers(self)
        if (self._has_body_left or self._unparsed or self._is_discarding) and self.transport.can_write_eof():
            self.stop_parsing()
            try:
                self.transport.write_eof()
            except OSError:  # the client has closed the connection, which the event loop does not know yet
                self.transport.abort()
                return
            self._arm("linger", _LINGER_S, self._end_lingering)
        else:
            self.transport.close()
            self._arm("linger", self.send_timeout_s, self.transport.abort)

    def _end_lingering(self) -> None:
        self._disarm("linger")
        if self.transport.get_write_buffer_size():  # the client has not even taken its reply yet
            self._arm("linger", self.send_timeout_s, self.transport.abort)
        else:
            self.transport.abort()

    def _discard(self, size: int) -> None:
        """Discard bytes, up to a limit and a rate, for a client that still reads its reply."""
        self._discarded += size
        if self._discarded > _LINGER_BYTES:
            self.transport.abort()
            return
        self._pause()
        self._arm("discard", max(_MIN_PAUSE_S, size / _DISCARD_BYTES_PER_S), self._discard_on)

    def _discard_on(self) -> None:
        self._disarm("discard")
        self._resume()

    def _fail(self, reply: ErrorReply) -> None:
        """Answer an invalid request, after the replies to earlier ones."""
        failed = cast(_Cycle, self.cycle) if self._has_body_left else None
        if failed is not None and failed is self._active:
            if failed.response_started:
                self.transport.abort()
                return
            failed.disconnected = True
            failed.message_event.set()
        elif failed is not None or self._has_unanswered:
            self.pipeline = deque(queued for queued in self.pipeline if queued[0] is not failed)
            self._postponed = reply
            self.stop_parsing()
            return
        self._answer(reply)

    def _answer(self, reply: ErrorReply) -> None:
        self._is_discarding = True
        self.transport.write(self._error(reply))
        self.finish()

    def _error(self, reply: ErrorReply) -> bytes:
        """An error as it is sent without the application; counted and logged as the application's are."""
        name = f"guard-{uuid4().hex}"
        service = self.app_state.get("service")
        if isinstance(service, Service):
            service.metrics.rejected.labels(reply.code).inc()
            service.metrics.http_requests.labels("other", str(reply.status)).inc()
            service.rejection_log.log(
                {"request_id": name, "endpoint": "other", "status": reply.status, "error": reply.code}
            )
        body = json.dumps(reply.body, separators=(",", ":")).encode()
        headers = [*self.server_state.default_headers, (b"content-type", b"application/json")]
        headers += [(key.lower().encode(), value.encode()) for key, value in reply.headers.items()]
        headers += [(b"content-length", str(len(body)).encode()), (b"x-request-id", name.encode())]
        lines = b"".join(key + b": " + value + b"\r\n" for key, value in headers)
        return STATUS_LINE[reply.status] + lines + b"connection: close\r\n\r\n" + body

    # --- reading and timers ------------------------------------------------------------------------------------------

    def _enqueue(self) -> None:
        self._is_queued = True
        self.queue.add(self)

    def _decide_reading(self) -> None:
        """Read from the client unless received bytes remain to be parsed, or to be read by the application."""
        if self._is_discarding:
            if "discard" not in self._timers:
                self._resume()
        elif self._unparsed or (self._has_body_left and self._is_held):
            self._pause()
        else:
            self._resume()

    def _pause(self) -> None:
        if not self._is_paused and not self.transport.is_closing():
            self._is_paused = True
            self.transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused and not self.transport.is_closing():
            self._is_paused = False
            self.transport.resume_reading()

    def _arm(self, name: str, seconds: float, callback: Any) -> None:
        """Schedule a callback after some seconds, unless it is already scheduled."""
        if name not in self._timers:
            self._timers[name] = self.loop.call_later(seconds, callback)

    def _disarm(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


class BoundedServer(uvicorn.Server):
    """A server that accepts a few connections at a time, and logs failures to accept once a minute."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        complaint = AcceptComplaint()
        loop.set_exception_handler(complaint.handle)
        await super().startup(sockets=sockets)
        # asyncio accepts as many connections in one turn as the system may hold back; only the latter should be many.
        for server in getattr(self, "servers", ()):
            for listener in server.sockets:
                with socket.socket(fileno=os.dup(listener.fileno())) as twin:
                    twin.listen(_LISTEN_BACKLOG)


class AcceptComplaint:
    """Rate-limits the log lines about missing file descriptors, which asyncio writes for every attempt to accept."""

    def __init__(self) -> None:
        self._failures = 0
        self._at: float | None = None

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an exception of the event loop."""
        if not str(context.get("message", "")).startswith("socket.accept()"):
            loop.default_exception_handler(context)
            return
        self._failures += 1
        if self._at is None or loop.time() - self._at >= _ACCEPT_COMPLAINT_EVERY_S:
            _logger.error("cannot accept connections: out of file descriptors (%d attempts)", self._failures)
            self._at, self._failures = loop.time(), 0


def with_deadlines(
    *,
    header_timeout_s: float,
    send_timeout_s: float,
    body_timeout_s: float = BoundedProtocol.body_timeout_s,
    exchange_timeout_s: float = BoundedProtocol.exchange_timeout_s,
    keep_alive_timeout_s: float = BoundedProtocol.keep_alive_timeout_s,
    max_connections: int | None = None,
    trusted_proxies: tuple[str, ...] = (),
) -> type[BoundedProtocol]:
    """The protocol of one server.

    Args:
        header_timeout_s: as in :class:`BoundedProtocol`, like all that end so.
        send_timeout_s: likewise.
        body_timeout_s: likewise.
        exchange_timeout_s: likewise.
        keep_alive_timeout_s: likewise.
        max_connections: connections at a time, limited by the available file descriptors.
        trusted_proxies: addresses and networks without a limit per address.
    """
    room = connections_room()
    total = room if max_connections is None else min(max_connections, room)
    return type(
        "ServerProtocol",
        (BoundedProtocol,),
        {
            "header_timeout_s": header_timeout_s,
            "send_timeout_s": send_timeout_s,
            "body_timeout_s": body_timeout_s,
            "exchange_timeout_s": exchange_timeout_s,
            "keep_alive_timeout_s": keep_alive_timeout_s,
            "limits": ConnectionLimits(total, TrustedProxies(trusted_proxies)),
            "queue": _ParseQueue(),
            "starts": _StartQueue(),
        },
    )


def connections_room() -> int:
    """Connections for which this process has file descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(1, min(_MAX_CONNECTIONS, soft - _OTHER_DESCRIPTORS - ACCEPTED_AT_ONCE - _HEALTH_RESERVE))
