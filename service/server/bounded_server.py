"""The server: accepts a few connections at a time, and logs its URLs once it is listening. Knows no application."""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from typing import Any

import uvicorn

_logger = logging.getLogger(__name__)

_LISTEN_BACKLOG = 1024

_ACCEPT_ERROR_INTERVAL_S = 60.0
"""Minimum seconds between two log lines about connections that could not be accepted."""


class BoundedServer(uvicorn.Server):
    """A server that accepts a few connections at a time, and logs failures to accept once a minute.

    The backlog of its configuration limits the connections that asyncio accepts in one iteration of the event loop;
    the operating system may hold back more of them.

    Args:
        config: as for uvicorn.
        announcements: lines to log once the server is listening; ``{url}`` stands for its address.
    """

    def __init__(self, config: uvicorn.Config, announcements: Sequence[str] = ()) -> None:
        super().__init__(config)
        self._announcements = tuple(announcements)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and log the announcements."""
        asyncio.get_running_loop().set_exception_handler(AcceptErrorLog().handle)
        await super().startup(sockets=sockets)
        for server in getattr(self, "servers", ()):
            for listener in server.sockets:
                with socket.socket(fileno=os.dup(listener.fileno())) as duplicate:
                    duplicate.listen(_LISTEN_BACKLOG)
        if self.started:
            for line in self._announcements:
                _logger.info("%s", line.replace("{url}", self._url))

    @property
    def _url(self) -> str:
        """The URL at which this machine reaches the server, with its actual port."""
        bound = [listener.getsockname() for server in self.servers for listener in server.sockets]
        host, port = (bound[0][0], bound[0][1]) if bound else (self.config.host, self.config.port)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{self.config.root_path}"


class AcceptErrorLog:
    """Rate-limits the log lines about missing file descriptors, which asyncio writes for every attempt to accept."""

    def __init__(self) -> None:
        self._failures = 0
        self._logged_at: float | None = None

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an exception of the event loop."""
        if not str(context.get("message", "")).startswith("socket.accept()"):
            loop.default_exception_handler(context)
            return
        self._failures += 1
        if self._logged_at is None or loop.time() - self._logged_at >= _ACCEPT_ERROR_INTERVAL_S:
            _logger.error("cannot accept connections: out of file descriptors (%d attempts)", self._failures)
            self._logged_at, self._failures = loop.time(), 0
