"""Parses requests in small slices, and limits heads, header lines, chunks and the framing around chunks.

Uses ``httptools``, whose parser is written in C: a one-byte chunk takes about a microsecond. Knows no transport and no
application: a handler receives the heads and bodies, and can pause the parser.
"""

import time
from typing import Protocol

import httptools

from service.server.rejections import (
    HEAD_TOO_LARGE,
    MALFORMED_REQUEST,
    TARGET_TOO_LONG,
    TOO_MANY_CHUNKS,
    UNKNOWN_METHOD,
    RejectedRequestError,
)
from service.server.request_head import RequestHead, check_head

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


class RequestHandler(Protocol):
    """Receives the parsed parts of requests."""

    @property
    def is_holding(self) -> bool:
        """Whether parsing must wait for the application."""

    def handle_head(self, head: RequestHead) -> None:
        """Handle the head of a request; raises RejectedRequestError."""

    def handle_body(self, data: bytes) -> None:
        """Handle part of the body."""

    def handle_end(self) -> None:
        """Handle the end of the body."""


class RequestReader:
    """Parses the requests of one connection.

    Args:
        handler: receives the parsed parts.
    """

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._parser = httptools.HttpRequestParser(self)
        # A request after a request that closes the connection is ignored, and must not affect the reply to the first.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._unparsed = bytearray()
        self._is_replaying = False
        self.is_in_head = False
        """Whether the head of a request has begun and is not complete."""
        self.is_in_body = False
        """Whether a head is complete, and its body is not."""
        # State of the message that is being parsed:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._header_lines = 0
        self._body_length: int | None = 0
        self._chunks = 0
        self._body_bytes = 0
        self._framing_bytes = 0

    @property
    def has_unparsed(self) -> bool:
        """Whether received bytes wait to be parsed."""
        return bool(self._unparsed)

    def add(self, data: bytes) -> None:
        """Add received bytes."""
        self._unparsed += data

    def clear(self) -> None:
        """Drop the bytes that wait to be parsed."""
        self._unparsed.clear()

    def parse(self, share_s: float) -> bool:
        """Parse received bytes until none are left, the handler pauses the parser, or the time is over.

        Args:
            share_s: seconds after which no further slice is parsed.

        Returns:
            False if the time is over and bytes are left.

        Raises:
            RejectedRequestError: the request is invalid or exceeds a limit; nothing after it can be parsed.
        """
        end = time.perf_counter() + share_s
        while self._unparsed and not self._handler.is_holding:
            size = self._slice_size
            piece = bytes(self._unparsed[:size])
            del self._unparsed[:size]
            try:
                self._feed(piece)
            except RejectedRequestError:
                self._unparsed.clear()
                raise
            if self._unparsed and time.perf_counter() > end:
                return False
        return True

    @property
    def _slice_size(self) -> int:
        if not self.is_in_body:
            return _HEAD_SLICE
        return _CHUNKED_SLICE if self._body_length is None else min(_BODY_SLICE, self._body_length - self._body_bytes)

    def _feed(self, piece: bytes) -> None:
        body_before, was_in_body = self._body_bytes, self.is_in_body
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as exc:
            self._ignore_upgrade(piece[exc.args[0] :])
            return
        except httptools.HttpParserInvalidMethodError:
            raise RejectedRequestError(UNKNOWN_METHOD) from None
        except httptools.HttpParserError as exc:
            if isinstance(exc.__context__, RejectedRequestError):  # raised by one of the callbacks below
                raise exc.__context__ from None
            raise RejectedRequestError(MALFORMED_REQUEST) from None
        if not self.is_in_body:
            self._head_bytes += 0 if was_in_body else len(piece)  # the end of a body does not belong to the next head
            if self._head_bytes > _MAX_HEAD_BYTES + _HEAD_SLICE:
                raise RejectedRequestError(HEAD_TOO_LARGE)
        elif self._body_length is None:
            self._framing_bytes += len(piece) - (self._body_bytes - body_before)
            if self._framing_bytes > _MAX_FRAMING_BYTES:
                raise RejectedRequestError(TOO_MANY_CHUNKS)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Ignore ``Upgrade``, which the parser treats as the end of HTTP on this connection.

        Some clients send it with their first request, which may have a body, so a new parser continues with the body.
        """
        self._parser = httptools.HttpRequestParser(self)
        if self.is_in_body:
            length = self._body_length
            framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
            self._is_replaying = True
            self._parser.feed_data(f"POST / HTTP/1.1\r\n{framing}\r\n\r\n".encode())
            self._is_replaying = False
        self._unparsed[:0] = rest

    # --- callbacks of the parser -------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._is_replaying:
            return
        self.is_in_head = True
        self._target, self._headers = b"", []
        self._head_bytes = self._header_lines = self._chunks = self._body_bytes = self._framing_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Add part of the target."""
        if self._is_replaying:
            return
        self._target += url
        if len(self._target) > _MAX_TARGET_BYTES:
            raise RejectedRequestError(TARGET_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; a line of the trailer is ignored, because the application is already running."""
        if self._is_replaying:
            return
        self._header_lines += 1
        if self._header_lines > _MAX_HEADER_LINES:
            raise RejectedRequestError(HEAD_TOO_LARGE)
        if self.is_in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Check the head, and pass it to the handler."""
        if self._is_replaying:
            return
        head = check_head(
            method=self._parser.get_method().decode("ascii"),
            version=self._parser.get_http_version(),
            target=self._target,
            headers=self._headers,
            keeps_alive=self._parser.should_keep_alive(),
        )
        self._body_length = head.body_length
        self._handler.handle_head(head)
        self.is_in_head, self.is_in_body = False, True
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Pass part of the body to the handler."""
        self._body_bytes += len(body)
        self._chunks += self._body_length is None
        if self._chunks > _MAX_SMALL_CHUNKS + self._body_bytes // 1024:
            raise RejectedRequestError(TOO_MANY_CHUNKS)
        self._handler.handle_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if self._is_replaying or (self._parser.should_upgrade() and self._body_length != 0):  # its body was skipped
            return
        self.is_in_body = False
        self._head_bytes = 0
        self._handler.handle_end()
