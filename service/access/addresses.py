"""Client addresses: reads ``X-Forwarded-For`` from trusted proxies, and derives the key for fair queueing.

Knows no ASGI: everything here is a function of header values and addresses.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_Address = IPv4Address | IPv6Address

_MAX_FORWARDED = 64
"""Maximum number of addresses that are read from ``X-Forwarded-For``."""

_MAX_ADDRESS_CHARACTERS = 64


class TrustedProxies:
    """Addresses and networks of proxies whose ``X-Forwarded-*`` headers are trusted.

    Raises:
        ValueError: an entry is neither an address nor a network.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._networks = tuple(ip_network(entry, strict=False) for entry in entries)

    def includes(self, host: str) -> bool:
        """Whether an address is that of a trusted proxy."""
        address = _parse_address(host)
        return address is not None and any(address in network for network in self._networks)

    def find_client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Find the client's address: the peer, or the last address in ``X-Forwarded-For`` that is not a trusted proxy.

        Args:
            peer: address of the other end of the connection.
            forwarded_for: values of ``X-Forwarded-For``, in the order of the headers.
        """
        hops = [hop for value in forwarded_for for hop in value.split(",")]
        client = peer
        for hop in reversed(hops[-_MAX_FORWARDED:]):
            if not self.includes(client):
                break
            address = _parse_hop(hop)
            if address is None:  # entries before a malformed one are not reliable
                break
            client = address
        return client


def is_loopback(host: str) -> bool:
    """Whether a normalised host always refers to this machine, independent of DNS."""
    address = _parse_address(host)
    return host == "localhost" if address is None else address.is_loopback


def is_loopback_interface(host: str) -> bool:
    """Whether a server that listens on a host is reachable from this machine only.

    An IPv4-mapped address does not count: no server can listen on it, because asyncio's IPv6 sockets accept no IPv4.
    Neither does an IPv4 address with a zone, which only IPv6 addresses have.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback and unmap_ipv4(address) == address


def derive_client_key(host: str) -> str:
    """Fair queueing key of a client without an API key: its IPv4 address or IPv6 /64, the prefix of one customer."""
    address = _parse_address(host)
    if address is None:
        return "address:unknown"
    if isinstance(address, IPv6Address):
        return f"address:{IPv6Network((int(address) >> 64 << 64, 64))}"
    return f"address:{address}"


def unmap_ipv4(address: _Address) -> _Address:
    """The IPv4 address of an IPv4-mapped IPv6 address, as reported by dual-stack sockets; otherwise unchanged."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _parse_hop(hop: str) -> str | None:
    """Parse one entry of ``X-Forwarded-For``, which may have a port."""
    hop = hop.strip(" \t")
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    address = _parse_address(hop)
    return None if address is None else str(address)


def _parse_address(host: str) -> _Address | None:
    if len(host) > _MAX_ADDRESS_CHARACTERS:
        return None
    try:
        # A zone names a local interface and is not compared.
        return unmap_ipv4(ip_address(host.partition("%")[0]))
    except ValueError:
        return None
