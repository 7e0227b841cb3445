"""Replies to clients that speak HTTP/1.0."""

from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.raw_http import HEAD, connect, receive_until_closed
from tests.helpers.server.threads import run_bounded_server


def test_a_stream_to_a_client_of_old_ends_with_the_connection() -> None:
    with run_bounded_server(FakeGuard()) as port, connect(port) as connection:
        body = b'{"prompt": "a", "stream": true}'
        head = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Content-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body)
        reply = receive_until_closed(connection)
        assert b"transfer-encoding" not in reply
        assert reply.partition(b"\r\n\r\n")[2].startswith(b"event: assessment")
        assert b"event: done" in reply


def test_a_client_of_old_is_not_told_to_continue() -> None:
    body = b'{"prompt": "a"}'
    asked = HEAD + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with run_bounded_server(FakeGuard()) as port:
        for version, first in ((b"HTTP/1.1", b"HTTP/1.1 100"), (b"HTTP/1.0", b"HTTP/1.1 200")):
            with connect(port) as connection:
                connection.sendall(asked.replace(b"HTTP/1.1", version))
                assert receive_until_closed(connection).startswith(first)
