"""Checks and splits the head of a request that the parser has accepted: version, host, target and body length."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from service.access.origins import parse_authority
from service.server.rejections import (
    INVALID_HOST,
    MALFORMED_REQUEST,
    UNKNOWN_METHOD,
    UNSUPPORTED_TRANSFER_CODING,
    UNSUPPORTED_VERSION,
    RejectedRequestError,
)

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, and values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """The head of one request."""

    method: str
    version: str
    """``1.0`` or ``1.1``."""

    raw_path: bytes
    """Path of the target, still percent-encoded."""

    query: bytes
    headers: list[tuple[bytes, bytes]]
    """Names in lower case, and values."""

    body_length: int | None
    """Bytes of the body; None if it is chunked."""

    keeps_alive: bool
    """Whether the client lets the connection serve further requests."""

    @property
    def path(self) -> str:
        """Path of the target, decoded."""
        return unquote(self.raw_path.decode("ascii"))

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for ``100 Continue``, which HTTP/1.0 does not know."""
        expected = any(name == b"expect" and value.lower() == b"100-continue" for name, value in self.headers)
        return expected and self.version != "1.0"


def check_head(
    *, method: str, version: str, target: bytes, headers: list[tuple[bytes, bytes]], keeps_alive: bool
) -> RequestHead:
    """Check the head of a request.

    Args:
        method: the method, in capitals.
        version: the HTTP version.
        target: the request target: a path and a query, or a whole URL as for a proxy.
        headers: names in lower case, and values.
        keeps_alive: whether the connection can serve further requests, according to the parser.

    Raises:
        RejectedRequestError: the head is not supported, or ambiguous.
    """
    if version not in ("1.0", "1.1"):
        raise RejectedRequestError(UNSUPPORTED_VERSION)
    if method == "CONNECT":
        raise RejectedRequestError(UNKNOWN_METHOD)
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise RejectedRequestError(INVALID_HOST)
    body_length = _read_body_length(headers, version)
    raw_path, query = _split_target(target, method, hosts)
    return RequestHead(
        method=method,
        version=version,
        raw_path=raw_path,
        query=query,
        headers=headers,
        body_length=body_length,
        keeps_alive=version == "1.1" and keeps_alive,
    )


def _read_body_length(headers: Headers, version: str) -> int | None:
    """Bytes of the body; None if it is chunked. The parser has checked the numbers."""
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings:
        if version == "1.0" or codings != [b"chunked"]:
            raise RejectedRequestError(UNSUPPORTED_TRANSFER_CODING)
        return None
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


def _split_target(target: bytes, method: str, hosts: Sequence[str]) -> tuple[bytes, bytes]:
    """Split the request target into path and query."""
    if b"#" in target:
        raise RejectedRequestError(MALFORMED_REQUEST)
    if not target.startswith(b"/") and not (target == b"*" and method == "OPTIONS"):
        scheme, separator, rest = target.partition(b"://")
        if not separator or scheme.lower() not in (b"http", b"https"):
            raise RejectedRequestError(MALFORMED_REQUEST)
        end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
        _check_authority(rest[:end].decode("ascii"), hosts)
        target = rest[end:] if rest[end : end + 1] == b"/" else b"/" + rest[end:]
    raw_path, _, query = target.partition(b"?")
    return raw_path, query


def _check_authority(authority: str, hosts: Sequence[str]) -> None:
    """Reject a target whose host differs from the ``Host`` header, because each check uses only one of them."""
    try:
        agrees = all(parse_authority(host) == parse_authority(authority) for host in hosts)
    except ValueError:
        agrees = False
    if not agrees:
        raise RejectedRequestError(INVALID_HOST)
