"""Fetches images by URL, from hosts that the operator lists.

Off unless hosts are listed. Each redirect is checked anew: ``https``, a listed host, and public addresses only (see
``public_addresses``); the certificate must match the host name. Bytes, time, redirects and connections are limited, and
nothing is decompressed. Knows no image formats: it returns bytes.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore

from safety_core.errors import ImageError
from service.ingress.public_addresses import (
    Address,
    NonPublicAddressError,
    PublicNetworkBackend,
    Resolver,
    is_public,
    resolve,
)

MAX_REDIRECTS = 3
MAX_CONNECTIONS = 16

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = [(b"Accept", b"image/*"), (b"Accept-Encoding", b"identity"), (b"User-Agent", b"safevlm-guard")]


class ImageFetcher:
    """Fetches images from listed hosts.

    Args:
        hosts: names, ``*.name`` for all subdomains, each with ``:port`` if it is not 443; without any, nothing is
            fetched.
        max_bytes: maximum size of an image.
        timeout_s: seconds for all redirects of an image together.
        trust: trusted certificates; those of the system if None.
        resolver: resolves names.
        is_allowed: whether an address may be connected to.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        max_bytes: int,
        timeout_s: float,
        trust: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
        is_allowed: Callable[[Address], bool] = is_public,
    ) -> None:
        self._hosts = tuple(host.lower() for host in hosts)
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._trust = trust
        self._backend = PublicNetworkBackend(resolver, is_allowed)
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)

    async def fetch(self, url: str) -> bytes:
        """Fetch the bytes behind a URL.

        Raises:
            ImageError: ``image_url``, ``image_too_large``, or ``image_url_failed``.
        """
        if not self._hosts:
            raise _create_url_error("This server does not accept images by URL.")
        try:
            async with asyncio.timeout(self._timeout_s), self._slots:
                return await self._follow_redirects(url)
        except TimeoutError:
            raise _create_fetch_error("The image took too long to arrive.") from None
        except NonPublicAddressError:
            raise _create_url_error("This server does not accept images from this host.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, ValueError):
            # ValueError: the resolver rejects the name.
            raise _create_fetch_error("The image could not be fetched.") from None

    async def _follow_redirects(self, url: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            target = self._check_url(url)
            outcome = await self._request(target)
            if isinstance(outcome, bytes):
                return outcome
            url = urljoin(target.geturl(), outcome)
        raise _create_fetch_error("The image URL has too many redirects.")

    def _check_url(self, url: str) -> SplitResult:
        if not url.isascii():
            raise _create_url_error("The URL has characters that are not ASCII; they must be percent-encoded.")
        try:
            target = urlsplit(url)
            port = target.port or 443
        except ValueError:
            raise _create_url_error("The URL is malformed.") from None
        host = (target.hostname or "").rstrip(".")
        if target.scheme.lower() != "https" or target.username is not None or target.password is not None:
            raise _create_url_error("Only https URLs without a user name are accepted.")
        if not any(_matches(f"{host}:{port}", pattern) for pattern in self._hosts):
            raise _create_url_error("This server does not accept images from this host.")
        return target

    async def _request(self, target: SplitResult) -> bytes | str:
        """Request a URL without following redirects; returns the image, or the location of a redirect."""
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
                raise _create_fetch_error("The image could not be fetched.")
            if headers.get(b"content-encoding", b"identity").lower() != b"identity":
                raise _create_fetch_error("The image server sent a compressed response, which is not accepted.")
            return await self._read_body(response, headers)

    async def _read_body(self, response: httpcore.Response, headers: dict[bytes, bytes]) -> bytes:
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


def _matches(address: str, pattern: str) -> bool:
    """Whether ``host:port`` matches an entry of the list."""
    name, _, port = pattern.rpartition(":") if pattern.rpartition(":")[2].isdigit() else (pattern, "", "443")
    host, _, own_port = address.rpartition(":")
    if own_port != port:
        return False
    return host.endswith(name[1:]) and len(host) > len(name) - 1 if name.startswith("*.") else host == name


def _create_url_error(message: str) -> ImageError:
    return ImageError(message, code="image_url", param="image")


def _create_fetch_error(message: str) -> ImageError:
    return ImageError(message, code="image_url_failed", param="image")
