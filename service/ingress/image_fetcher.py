"""Pictures by URL, for operators who allow it: only from hosts on their list, and never from inside their network.

Off unless hosts are named. Then each hop is checked anew: ``https``, a listed host, and addresses that are public, all
of them. The address that was checked is the one that is connected to, so a name that resolves to another one a moment
later gains nothing; the certificate must still be the name's. Bytes, time, redirects and connections are bounded, and
nothing is decompressed. Knows no pictures: what comes back is bytes.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore

from safety_core.errors import ImageError

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]

MAX_REDIRECTS = 3
MAX_CONNECTIONS = 16
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The third quarter of an IPv6 address whose last quarter is an IPv4 address of the same host."""

_SPECIAL = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # not registered: a cloud provider's own services, inside every network there
            *("2001::/23", "2001:db8::/32", "3fff::/20"),
        ),
    )
)
"""Special-purpose networks in IANA's registry; older versions of ``ipaddress`` lack some of them."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = [(b"Accept", b"image/*"), (b"Accept-Encoding", b"identity"), (b"User-Agent", b"safevlm-guard")]


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet: not to this machine, this network or a special purpose.

    An IPv6 address that contains an IPv4 address (NAT64, 6to4, ISATAP) is public if that one is; forms that are not
    routed (IPv4-mapped, IPv4-compatible, Teredo) are never public, nor is anything outside 2000::/3.
    """
    if isinstance(address, IPv6Address):
        if address in _NAT64:  # how a network without IPv4 reaches such addresses
            return is_public(IPv4Address(address.packed[-4:]))
        if address not in _GLOBAL_UNICAST:  # loopback, link-local, site-local, unique local, multicast and the rest
            return False
        inside = [] if address.sixtofour is None else [address.sixtofour]
        if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
            inside.append(IPv4Address(address.packed[-4:]))
        if not all(map(is_public, inside)):
            return False
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve(host: str, port: int) -> Sequence[Address]:
    """Addresses of a name, as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


class ImageFetcher:
    """Fetches pictures from listed hosts.

    Args:
        hosts: names, ``*.name`` for all below one, each with ``:port`` where it is not 443; none switches it off.
        max_bytes: largest picture.
        timeout_s: seconds for all of a picture's hops together.
        trust: certificates to trust; the system's where None.
        resolver: finds addresses.
        allowed: says which addresses may be connected to.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        max_bytes: int,
        timeout_s: float,
        trust: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
        allowed: Callable[[Address], bool] = is_public,
    ) -> None:
        self._hosts = tuple(host.lower() for host in hosts)
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._trust = trust
        self._backend = _CheckedNetworkBackend(resolver, allowed)
        self._places = asyncio.Semaphore(MAX_CONNECTIONS)

    async def fetch(self, url: str) -> bytes:
        """The bytes behind a URL.

        Raises:
            ImageError: ``image_url``, ``image_too_large``, or ``image_url_failed``.
        """
        if not self._hosts:
            raise _refused("Pictures by URL are not accepted here.")
        try:
            async with asyncio.timeout(self._timeout_s), self._places:
                return await self._followed(url)
        except TimeoutError:
            raise _failed("The picture took too long to come.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, ValueError):
            raise _failed("The picture could not be fetched.") from None  # ValueError: a name that can be none

    async def _followed(self, url: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            target = self._checked(url)
            outcome = await self._got(target)
            if isinstance(outcome, bytes):
                return outcome
            url = urljoin(target.geturl(), outcome)
        raise _failed("The picture is behind too many redirects.")

    def _checked(self, url: str) -> SplitResult:
        if not url.isascii():
            raise _refused("A URL has ASCII characters only; others are percent-encoded.")
        try:
            target = urlsplit(url)
            port = target.port or 443
        except ValueError:
            raise _refused("The URL is malformed.") from None
        host = (target.hostname or "").rstrip(".")
        if target.scheme.lower() != "https" or target.username is not None or target.password is not None:
            raise _refused("Only plain https URLs are accepted.")
        if not any(_matches(f"{host}:{port}", pattern) for pattern in self._hosts):
            raise _refused("Pictures of this host are not accepted.")
        return target

    async def _got(self, target: SplitResult) -> bytes | str:
        """The picture, or where it has gone."""
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(
                httpcore.AsyncConnectionPool(
                    ssl_context=self._trust or ssl.create_default_context(),
                    network_backend=self._backend,
                    max_connections=1,
                    http2=False,
                )
            )
            url = httpcore.URL(target._replace(fragment="").geturl())
            response = await stack.enter_async_context(
                pool.stream(
                    "GET", url, headers=[(b"Host", target.netloc.encode()), *_HEADERS], extensions={"timeout": timeout}
                )
            )
            headers = {name.lower(): value for name, value in response.headers}
            if response.status in _REDIRECTS and b"location" in headers:
                return headers[b"location"].decode("latin-1")
            if response.status != 200:
                raise _failed("The picture could not be fetched.")
            if headers.get(b"content-encoding", b"identity").lower() != b"identity":
                raise _failed("The picture is packed once more, which is not accepted.")
            return await self._body(response, headers)

    async def _body(self, response: httpcore.Response, headers: dict[bytes, bytes]) -> bytes:
        too_large = ImageError(
            f"The image is larger than {self._max_bytes} bytes.", code="image_too_large", param="image"
        )
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise too_large
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > self._max_bytes:
                raise too_large
        return bytes(body)


class _CheckedNetworkBackend(httpcore.AsyncNetworkBackend):
    """Connects to the very address that was checked."""

    def __init__(self, resolver: Resolver, allowed: Callable[[Address], bool]) -> None:
        self._resolver = resolver
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check every answer, and connect to the first."""
        addresses = await self._resolver(host, port)
        if not addresses or not all(self._allowed(address) for address in addresses):
            raise _refused("Pictures of this host are not accepted.")
        return await self._inner.connect_tcp(str(addresses[0]), port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


def _matches(place: str, pattern: str) -> bool:
    """Whether ``host:port`` is what an entry of the list allows."""
    wanted, _, port = pattern.rpartition(":") if pattern.rpartition(":")[2].isdigit() else (pattern, "", "443")
    host, _, own_port = place.rpartition(":")
    if own_port != port:
        return False
    return host.endswith(wanted[1:]) and len(host) > len(wanted) - 1 if wanted.startswith("*.") else host == wanted


def _refused(message: str) -> ImageError:
    return ImageError(message, code="image_url", param="image")


def _failed(message: str) -> ImageError:
    return ImageError(message, code="image_url_failed", param="image")
