"""Errors are complete HTTP responses, although no application sends them."""

import json

from service.server.rejections import TOO_MANY_CONNECTIONS, render_rejection


def test_an_error_is_a_response_that_closes_the_connection() -> None:
    response = render_rejection(TOO_MANY_CONNECTIONS, "guard-1", [(b"server", b"x")])
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    assert status == "HTTP/1.1 503 Service Unavailable"
    assert lines == [
        "server: x",
        "content-type: application/json",
        "retry-after: 1",
        f"content-length: {len(body)}",
        "x-request-id: guard-1",
        "connection: close",
    ]
    assert json.loads(body)["error"]["code"] == "too_many_connections"
