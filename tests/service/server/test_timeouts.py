"""Slow clients: a head that does not end, a reply that nobody reads, and a connection that stays idle."""

import socket
import time

import httpx

from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.metrics import read_metric
from tests.helpers.server.raw_http import HEALTH, connect, is_closed, receive_until
from tests.helpers.server.threads import run_bounded_server
from tests.helpers.waiting import wait_until


def test_who_says_nothing_or_sends_its_head_byte_by_byte_is_let_go() -> None:
    with run_bounded_server(FakeGuard(), header_timeout_s=0.3) as port, connect(port) as silent, connect(port) as slow:
        slow.settimeout(0.05)
        gone = False
        deadline = time.monotonic() + 30
        for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 10_000:
            try:
                slow.send(bytes([byte]))
                gone = is_closed(slow)
            except TimeoutError:
                pass
            except ConnectionError:
                gone = True
            if gone:
                break
            assert time.monotonic() < deadline
        assert gone
        assert is_closed(silent)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


def test_a_connection_that_is_used_again_has_a_deadline_again_and_a_long_body_none_of_these() -> None:
    with run_bounded_server(FakeGuard(), header_timeout_s=0.3) as port, connect(port) as connection:
        head = (
            b"POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n"
        )
        connection.sendall(head + b'{"prompt"')
        time.sleep(0.6)
        connection.sendall(b':"a"}')
        reply = b""
        while b'"timings"' not in reply:
            reply += connection.recv(4096)
        assert b"200 OK" in reply
        connection.sendall(b"GET /healthz HT")
        assert is_closed(connection)


def test_who_does_not_read_its_reply_gives_its_place_back() -> None:
    fake = FakeGuard(pieces=("word " * 20_000,) * 400)
    with run_bounded_server(fake, send_timeout_s=0.3) as port, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        body = b'{"prompt": "a", "stream": true}'
        head = "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}"
        connection.sendall(head.encode() + b"\r\n\r\n" + body)

        def in_flight() -> float:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
            return read_metric(text, "safevlm_in_flight", endpoint="chat")

        wait_until(lambda: in_flight() == 1)
        wait_until(lambda: in_flight() == 0)


def test_an_idle_connection_is_kept_as_long_as_the_setting_says() -> None:
    with run_bounded_server(FakeGuard(), keep_alive_timeout_s=0.3) as port, connect(port) as connection:
        connection.sendall(HEALTH)
        receive_until(connection, b"}")
        assert is_closed(connection)
