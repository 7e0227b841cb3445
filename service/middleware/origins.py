"""Origins of requests: host names, browser origins, client addresses and trusted proxies.

Knows no ASGI: everything here is a function of header values and addresses.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

_Address = IPv4Address | IPv6Address

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_PORT = re.compile(r"[0-9]{1,5}")
_MAX_NAME = 253
_DEFAULT_PORTS = {"http": 80, "https": 443}

ANY = "*"
"""An allowed host that matches every host."""

_MAX_FORWARDED = 64
"""Maximum addresses of ``X-Forwarded-For`` that are read."""


class Authority(NamedTuple):
    """A host and an optional port, normalised: lower case, no final dot, addresses in canonical form."""

    host: str
    port: int | None


def parse_authority(text: str) -> Authority:
    """Parse the value of a ``Host`` header.

    Raises:
        ValueError: it is not valid; user information, zones, blanks and lists are not allowed.
    """
    text = text.strip(" \t").lower()
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        if not bracket or "%" in inside:
            raise ValueError("not a host")
        try:
            host = str(_unmapped(IPv6Address(inside)))
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
        names: names, ``*.example.org`` for all below a name, addresses, or ``*`` for any.
        allows_loopback: whether ``localhost`` and all loopback addresses are among them.
    """

    names: frozenset[str] = frozenset()
    allows_loopback: bool = True

    def allows(self, host: str) -> bool:
        """Whether a normalised host is one of them."""
        if ANY in self.names or host in self.names:
            return True
        if self.allows_loopback and is_loopback(host):
            return True
        parents = host.split(".")
        return any(f"*.{'.'.join(parents[cut:])}" in self.names for cut in range(1, len(parents)))


def is_loopback(host: str) -> bool:
    """Whether a normalised host always refers to this machine, independent of DNS."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def parse_origin(text: str) -> tuple[str, Authority]:
    """Parse a browser's ``Origin`` into scheme and authority.

    Raises:
        ValueError: it is not an origin; ``null`` is not one either.
    """
    scheme, separator, authority = text.strip(" \t").lower().partition("://")
    if not separator or scheme not in _DEFAULT_PORTS:
        raise ValueError("not an origin")
    host, port = parse_authority(authority)
    return scheme, Authority(host, _DEFAULT_PORTS[scheme] if port is None else port)


def serialize_origin(scheme: str, authority: Authority) -> str:
    """An origin as browsers send it."""
    host = f"[{authority.host}]" if ":" in authority.host else authority.host
    return f"{scheme}://{host}" + ("" if authority.port == _DEFAULT_PORTS[scheme] else f":{authority.port}")


def is_same_origin(origin: str, authorities: Iterable[str], scheme: str | None) -> bool:
    """Whether a page's origin is this server's own.

    Args:
        origin: the ``Origin`` header.
        authorities: this server's names in the request: ``Host``, and ``X-Forwarded-Host`` of a trusted proxy.
        scheme: the clients' scheme, if it is known; a proxy may have terminated TLS without a header.
    """
    try:
        asked_by, (host, port) = parse_origin(origin)
    except ValueError:
        return False
    if scheme is not None and scheme != asked_by:
        return False
    for text in authorities:
        try:
            own = parse_authority(text)
        except ValueError:
            continue
        if own.host == host and (_DEFAULT_PORTS[asked_by] if own.port is None else own.port) == port:
            return True
    return False


class TrustedProxies:
    """Addresses and networks of proxies whose ``X-Forwarded-*`` headers are trusted.

    Raises:
        ValueError: an entry is neither an address nor a network.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._networks = tuple(ip_network(entry, strict=False) for entry in entries)

    def includes(self, host: str) -> bool:
        """Whether a peer is one of them."""
        address = _address(host)
        return address is not None and any(address in network for network in self._networks)

    def find_client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """The address of the client: the peer, or the last address in ``X-Forwarded-For`` that is not a trusted proxy.

        Args:
            peer: the other end of the connection.
            forwarded_for: values of ``X-Forwarded-For``, in the order of the headers.
        """
        hops = [hop for value in forwarded_for for hop in value.split(",")]
        client = peer
        for hop in reversed(hops[-_MAX_FORWARDED:]):
            if not self.includes(client):
                break
            address = _hop_address(hop)
            if address is None:  # whoever wrote this, no address that is further away can be relied on
                break
            client = address
        return client


def derive_client_key(host: str) -> str:
    """Fair queueing key of a client without an API key: its IPv4 address or IPv6 /64, which one customer gets."""
    address = _address(host)
    if address is None:
        return "address:unknown"
    if isinstance(address, IPv6Address):
        return f"address:{IPv6Network((int(address) >> 64 << 64, 64))}"
    return f"address:{address}"


def _hop_address(hop: str) -> str | None:
    """The address of one entry of ``X-Forwarded-For``, which may have a port."""
    hop = hop.strip(" \t")
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    address = _address(hop)
    return None if address is None else str(address)


def _address(host: str) -> _Address | None:
    if len(host) > 64:
        return None
    try:
        # A zone names an interface of one machine; it is no part of an address to compare.
        return _unmapped(ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def _unmapped(address: _Address) -> _Address:
    """The IPv4 address of an IPv4-mapped IPv6 address, as reported by dual-stack sockets; otherwise unchanged."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped
