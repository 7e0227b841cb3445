"""Connects to public addresses only, so that a URL cannot reach inside the operator's network (SSRF protection).

Every address of a name must be public. The connection is made to the address that was checked, so a name that resolves
to another address a moment later (DNS rebinding) gains nothing.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]

_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_ISATAP = (0x00005EFE, 0x02005EFE)
"""Bits 64 to 95 of an ISATAP address, whose last 32 bits are an IPv4 address of the same host."""

_SPECIAL = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # not in the registry: services inside every network of a cloud provider
            *("2001::/23", "2001:db8::/32", "3fff::/20"),
        ),
    )
)
"""Special-purpose networks in IANA's registry; older versions of ``ipaddress`` lack some of them."""


class NonPublicAddressError(Exception):
    """A name has no address, or has an address that is not public."""


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet: not to this machine, this network or a special purpose.

    An IPv6 address that contains an IPv4 address (NAT64, 6to4, ISATAP) is public if the IPv4 address is; forms that are
    not routed (IPv4-mapped, IPv4-compatible, Teredo) are never public, nor is anything outside 2000::/3.
    """
    if isinstance(address, IPv6Address):
        if address in _NAT64:  # used by IPv6-only networks to reach IPv4 addresses
            return is_public(IPv4Address(address.packed[-4:]))
        if address not in _GLOBAL_UNICAST:  # loopback, link-local, site-local, unique local, multicast and the rest
            return False
        embedded = [] if address.sixtofour is None else [address.sixtofour]
        if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
            embedded.append(IPv4Address(address.packed[-4:]))
        if not all(map(is_public, embedded)):
            return False
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve(host: str, port: int) -> Sequence[Address]:
    """Resolve a name with the resolver of the system."""
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries]


class PublicNetworkBackend(httpcore.AsyncNetworkBackend):
    """Network backend that connects to the address that was checked.

    Args:
        resolver: resolves names.
        is_allowed: whether an address may be connected to.
    """

    def __init__(self, resolver: Resolver, is_allowed: Callable[[Address], bool]) -> None:
        self._resolver = resolver
        self._is_allowed = is_allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve a name, check every address, and connect to the first.

        Raises:
            NonPublicAddressError: there is no address, or one is not allowed.
        """
        addresses = await self._resolver(host, port)
        if not addresses or not all(self._is_allowed(address) for address in addresses):
            raise NonPublicAddressError
        return await self._inner.connect_tcp(str(addresses[0]), port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        await self._inner.sleep(seconds)
