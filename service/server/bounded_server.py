"""A server that logs its URLs once it listens. Knows nothing about the application."""

import logging
import socket
from collections.abc import Sequence

import uvicorn

from service.server.http_protocol import BoundedServer

_logger = logging.getLogger(__name__)


class AnnouncingServer(BoundedServer):
    """A bounded server that logs the URLs of what is served as soon as it listens.

    Args:
        config: as for uvicorn.
        lines: what to log; ``{url}`` stands for the server's address.
    """

    def __init__(self, config: uvicorn.Config, lines: Sequence[str]) -> None:
        super().__init__(config)
        self._lines = tuple(lines)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            for line in self._lines:
                _logger.info("%s", line.replace("{url}", self._url()))

    def _url(self) -> str:
        """The URL at which this machine reaches the server, with its actual port."""
        bound = [found.getsockname() for server in self.servers for found in server.sockets]
        host, port = (bound[0][0], bound[0][1]) if bound else (self.config.host, self.config.port)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{self.config.root_path}"
