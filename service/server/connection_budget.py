"""Limits the open connections of a server, in total and per address; closes waiting connections to admit new ones.

Knows no HTTP: a connection reports whether it is served, waits for its client, or was answered.
"""

import asyncio
import resource
from typing import Protocol

from service.access.addresses import TrustedProxies, is_loopback

ACCEPTED_AT_ONCE = 8
"""Connections that are accepted in one iteration of the event loop, before the budget applies to them."""

_MAX_CONNECTIONS = 4096

_HEALTH_RESERVE = 8
"""Connections beyond the limit, which only serve health checks."""

_OTHER_DESCRIPTORS = 64
"""File descriptors reserved for other uses: files, the audit log, fetched images."""


class ClientConnection(Protocol):
    """The interface through which the budget uses a connection; connections must be hashable by identity."""

    @property
    def address(self) -> str:
        """Address of the client."""

    @property
    def client_key(self) -> str:
        """Key under which connections of one client are counted."""

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, which is aborted to make room."""


class ConnectionBudget:
    """Counts the connections of one server, and selects those that can be closed to make room.

    Args:
        total: maximum number of connections.
        proxies: peers that represent many clients, and to which the limit per address does not apply.
    """

    def __init__(self, total: int, proxies: TrustedProxies | None = None) -> None:
        self.total = total
        self._proxies = proxies or TrustedProxies(())
        self._by_client: dict[str, set[ClientConnection]] = {}
        self._waiting: dict[str, dict[ClientConnection, None]] = {}
        """Connections that wait for their client, by client, the longest waiting first."""
        self._lingering: dict[ClientConnection, None] = {}
        """Connections that were answered and wait for their client to close."""
        self._count = 0

    def add(self, connection: ClientConnection) -> bool:
        """Count a new connection, and make room for it.

        Returns:
            True if it may be used; False if it may serve health checks only (see :attr:`is_full`).
        """
        address = connection.address
        is_shared = not address or is_loopback(address) or self._proxies.includes(address)
        own = self._by_client.setdefault(connection.client_key, set())
        own.add(connection)
        self._count += 1
        if not is_shared and len(own) > max(1, self.total // 2) and not self._evict(connection.client_key):
            return False
        return self._count <= self.total or self._evict(None)

    @property
    def is_full(self) -> bool:
        """Whether even the connections reserved for health checks are used up."""
        return self._count > self.total + _HEALTH_RESERVE

    def remove(self, connection: ClientConnection) -> None:
        """Remove a closed connection."""
        self.mark_served(connection)
        if self._is_open(connection):
            self._count -= 1
            own = self._by_client[connection.client_key]
            own.discard(connection)
            if not own:
                del self._by_client[connection.client_key]

    def mark_waiting(self, connection: ClientConnection) -> None:
        """Record that a connection waits for its client, and may be closed to make room."""
        if not self._is_open(connection):
            return
        own = self._waiting.setdefault(connection.client_key, {})
        own.pop(connection, None)
        own[connection] = None

    def mark_lingering(self, connection: ClientConnection) -> None:
        """Record that a connection has sent its last reply, and is closed first to make room."""
        self.mark_served(connection)
        if self._is_open(connection):
            self._lingering[connection] = None

    def mark_served(self, connection: ClientConnection) -> None:
        """Record that a connection is being served, and must not be closed."""
        self._lingering.pop(connection, None)
        own = self._waiting.get(connection.client_key)
        if own is not None:
            own.pop(connection, None)
            if not own:
                del self._waiting[connection.client_key]

    def _is_open(self, connection: ClientConnection) -> bool:
        return connection in self._by_client.get(connection.client_key, ())

    def _evict(self, client_key: str | None) -> bool:
        """Close the longest waiting connection of a client; if None, of the client with the most connections."""
        victim = next(
            (connection for connection in self._lingering if client_key in (None, connection.client_key)), None
        )
        if victim is None:
            if client_key is None:
                client_key = max(self._waiting, key=lambda key: len(self._by_client.get(key, ())), default=None)
            victim = next(iter(self._waiting.get(client_key or "", ())), None)
        if victim is None:
            return False
        self.remove(victim)
        victim.transport.abort()
        return True


def count_available_connections() -> int:
    """Connections for which this process has file descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(1, min(_MAX_CONNECTIONS, soft - _OTHER_DESCRIPTORS - ACCEPTED_AT_ONCE - _HEALTH_RESERVE))
