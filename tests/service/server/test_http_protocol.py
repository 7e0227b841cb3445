"""Bodies that nobody wants, and requests that are sent before the reply to an earlier one."""

import http.client
import json
import time
from contextlib import suppress

import pytest

from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.keys import KEY_FILE
from tests.helpers.server.raw_http import (
    CHUNKED,
    HEAD,
    HEALTH,
    connect,
    receive_until,
    receive_until_closed,
)
from tests.helpers.server.threads import run_bounded_server


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize(
    "start", [b"POST /v1/chat", b"GET /healthz", b"HEAD /healthz", b"POST /nowhere", b"PUT /v1/chat"]
)
def test_a_body_behind_an_answer_is_not_waited_for(start: bytes, framing: bytes) -> None:
    with run_bounded_server(FakeGuard(), api_keys=KEY_FILE) as port, connect(port) as connection:
        connection.sendall(start + b" HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n")
        reply = receive_until_closed(connection)
        assert b"connection: close" in reply
        assert reply.startswith(b"HTTP/1.1 200" if b"healthz" in start else b"HTTP/1.1 401")


def test_who_goes_on_sending_behind_an_answer_reads_it_and_is_closed() -> None:
    with run_bounded_server(FakeGuard(), api_keys=KEY_FILE) as port, connect(port) as connection:
        connection.sendall(CHUNKED)
        reply = receive_until(connection, b"}}")
        assert reply.startswith(b"HTTP/1.1 401")
        until = time.monotonic() + 30
        with suppress(ConnectionError):
            while time.monotonic() < until:
                connection.sendall(b"1\r\na\r\n" * 100)
                time.sleep(0.01)
        assert time.monotonic() < until, "the connection is still open"


def test_who_sends_all_of_a_large_body_first_still_reads_why_it_was_refused() -> None:
    with run_bounded_server(FakeGuard(), max_body_bytes=1000) as port:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        client.request("POST", "/v1/chat", b"a" * 5_000_000, {"Content-Type": "application/json"})
        response = client.getresponse()
        assert (response.status, response.getheader("connection")) == (413, "close")
        assert json.loads(response.read())["error"]["code"] == "body_too_large"
        client.close()


def test_replies_to_requests_sent_at_once_come_in_their_order() -> None:
    with run_bounded_server(FakeGuard()) as port, connect(port) as connection:
        body = b'{"prompt": "a"}'
        chat = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
        connection.sendall((chat + HEALTH) * 50 + b"NOTHING\r\n\r\n" + HEALTH)
        replies = receive_until_closed(connection).split(b"HTTP/1.1 ")[1:]
        assert [reply[:3] for reply in replies] == [b"200"] * 100 + [b"501"]
        assert [b'"decision"' in reply for reply in replies] == [True, False] * 50 + [False]
