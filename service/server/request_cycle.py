"""One request and its reply, between uvicorn's implementation of ASGI and the connection."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class ReplyTransport:
    """The transport that a cycle writes to; closing it is left to the connection.

    Args:
        transport: the connection's transport.
        close: closes the connection once all output is sent.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self.write = transport.write
        self.close = close

    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._transport.is_closing()


class RequestCycle(RequestResponseCycle):
    """One request and its reply."""

    discard_body: Callable[[], None]
    """Discards the rest of the request body, because the reply has begun. Set by the connection."""

    ends_with_connection = False
    """Whether only the end of the connection marks the end of the reply: HTTP/1.0 has no chunks."""

    async def send(self, message: Any) -> None:
        """Send part of the reply; the rest of the request body is unwanted from then on."""
        if message["type"] == "http.response.start" and not self.response_started:
            if self.more_body and not self.disconnected:
                self.keep_alive = False
                self.discard_body()
            if self.scope["http_version"] == "1.0":
                names = {name.lower() for name, _ in message.get("headers", ())}
                self.ends_with_connection = b"content-length" not in names
                self.chunked_encoding = False if self.ends_with_connection else None
        elif self.ends_with_connection:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)
