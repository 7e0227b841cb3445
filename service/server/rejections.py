"""Errors that a connection sends without the application: invalid HTTP, exceeded limits, too many connections."""

import json
from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.errors import BUSY, INVALID, ErrorReply

MALFORMED_REQUEST = ErrorReply(status=400, message="The request is not valid HTTP.", type=INVALID, code="bad_request")

HEAD_TOO_LARGE = ErrorReply(
    status=431, message="The request headers are too large.", type=INVALID, code="headers_too_large"
)

TARGET_TOO_LONG = ErrorReply(status=414, message="The request target is too long.", type=INVALID, code="uri_too_long")

TOO_MANY_CHUNKS = ErrorReply(
    status=400, message="The body has too many small chunks.", type=INVALID, code="too_many_chunks"
)

UNKNOWN_METHOD = ErrorReply(status=501, message="The method is unknown.", type=INVALID, code="method_not_allowed")

UNSUPPORTED_TRANSFER_CODING = ErrorReply(
    status=501, message="The only supported transfer coding is chunked.", type=INVALID, code="transfer_encoding"
)

UNSUPPORTED_VERSION = ErrorReply(
    status=505, message="Only HTTP/1.0 and HTTP/1.1 are supported.", type=INVALID, code="http_version"
)

INVALID_HOST = ErrorReply(
    status=400, message="The request must have exactly one valid Host header.", type=INVALID, code="bad_host"
)

TOO_MANY_CONNECTIONS = ErrorReply(
    status=503, message="Too many connections are open.", type=BUSY, code="too_many_connections", retry_after_s=1
)


class RejectedRequestError(Exception):
    """A request that the connection answers with an error before it closes."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.code)
        self.reply = reply


def render_rejection(reply: ErrorReply, request_id: str, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write an error as a complete HTTP response that closes the connection.

    Args:
        reply: the error.
        request_id: value of ``X-Request-Id``.
        default_headers: headers of every response of the server.
    """
    body = json.dumps(reply.body, separators=(",", ":")).encode()
    headers = [*default_headers, (b"content-type", b"application/json")]
    headers += [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    headers += [(b"content-length", str(len(body)).encode()), (b"x-request-id", request_id.encode())]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[reply.status] + lines + b"connection: close\r\n\r\n" + body
