"""Host names and browser origins: parses ``Host`` and ``Origin``, and compares them with what a server accepts.

Knows no ASGI: everything here is a function of header values.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import NamedTuple

from service.access.addresses import is_loopback, unmap_ipv4

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_PORT = re.compile(r"[0-9]{1,5}")
_MAX_NAME = 253
_DEFAULT_PORTS = {"http": 80, "https": 443}

ANY_HOST = "*"
"""Entry of the allowed hosts that matches every host."""


class Authority(NamedTuple):
    """A host and an optional port, normalised: lower case, no final dot, addresses in canonical form."""

    host: str
    port: int | None


def parse_authority(text: str) -> Authority:
    """Parse the value of a ``Host`` header.

    Raises:
        ValueError: the value is not valid; user information, zones, blanks and lists are not allowed.
    """
    text = text.strip(" \t").lower()
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if not bracket or "%" in address:
            raise ValueError("not a host")
        try:
            host = str(unmap_ipv4(IPv6Address(address)))
        except ValueError as exc:
            raise ValueError("not a host") from exc
    else:
        name, colon, port = text.partition(":")
        rest = colon + port
        host = name.removesuffix(".")
        if len(host) > _MAX_NAME or not _NAME.fullmatch(host):
            raise ValueError("not a host")
    if rest in ("", ":"):
        return Authority(host, None)
    if rest[0] != ":" or not _PORT.fullmatch(rest[1:]) or int(rest[1:]) > 65535:
        raise ValueError("not a port")
    return Authority(host, int(rest[1:]))


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Host names that a server accepts.

    Attributes:
        names: host names, ``*.example.org`` for all subdomains, addresses, or ``*`` for any host.
        allows_loopback: whether ``localhost`` and all loopback addresses are accepted as well.
    """

    names: frozenset[str] = frozenset()
    allows_loopback: bool = True

    def allows(self, host: str) -> bool:
        """Whether a normalised host is accepted."""
        if ANY_HOST in self.names or host in self.names:
            return True
        if self.allows_loopback and is_loopback(host):
            return True
        parents = host.split(".")
        return any(f"*.{'.'.join(parents[cut:])}" in self.names for cut in range(1, len(parents)))


def parse_origin(text: str) -> tuple[str, Authority]:
    """Parse a browser's ``Origin`` into scheme and authority.

    Raises:
        ValueError: the value is not an origin, or is ``null``.
    """
    scheme, separator, authority = text.strip(" \t").lower().partition("://")
    if not separator or scheme not in _DEFAULT_PORTS:
        raise ValueError("not an origin")
    host, port = parse_authority(authority)
    return scheme, Authority(host, _DEFAULT_PORTS[scheme] if port is None else port)


def serialize_origin(scheme: str, authority: Authority) -> str:
    """Write an origin as browsers send it."""
    host = f"[{authority.host}]" if ":" in authority.host else authority.host
    return f"{scheme}://{host}" + ("" if authority.port == _DEFAULT_PORTS[scheme] else f":{authority.port}")


def is_same_origin(origin: str, authorities: Iterable[str], scheme: str | None) -> bool:
    """Whether the origin of a page is that of this server.

    Args:
        origin: the ``Origin`` header.
        authorities: names of this server in the request: ``Host``, and ``X-Forwarded-Host`` of a trusted proxy.
        scheme: scheme of the client's request; None if it is unknown, because a proxy may terminate TLS.
    """
    try:
        page_scheme, (host, port) = parse_origin(origin)
    except ValueError:
        return False
    if scheme is not None and scheme != page_scheme:
        return False
    for text in authorities:
        try:
            own = parse_authority(text)
        except ValueError:
            continue
        if own.host == host and (_DEFAULT_PORTS[page_scheme] if own.port is None else own.port) == port:
            return True
    return False
