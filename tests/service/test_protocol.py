"""Slow clients: a head that does not end, and a reply that nobody reads."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from service.app import create_app
from service.protocol import with_deadlines
from service.settings import Settings
from tests.safety_core.engine.fakes import FakeGuard
from tests.service.clients import free_port, metric
from tests.service.test_traffic import eventually


@contextmanager
def listening(
    fake: FakeGuard, *, header_timeout_s: float = 20, send_timeout_s: float = 20, **settings: Any
) -> Iterator[int]:
    port = free_port()
    deadlines = with_deadlines(header_timeout_s=header_timeout_s, send_timeout_s=send_timeout_s)
    config = uvicorn.Config(
        create_app(Settings(**settings), fake), port=port, log_config=None, lifespan="on", http=deadlines
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(4096) == b""
    except ConnectionError:
        return True


def test_who_says_nothing_or_sends_its_head_byte_by_byte_is_let_go() -> None:
    with listening(FakeGuard(), header_timeout_s=0.3) as port, connected(port) as silent, connected(port) as slow:
        slow.settimeout(0.05)
        gone = False
        deadline = time.monotonic() + 30
        for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 10_000:
            try:
                slow.send(bytes([byte]))
                gone = closed(slow)
            except TimeoutError:
                pass
            except ConnectionError:
                gone = True
            if gone:
                break
            assert time.monotonic() < deadline
        assert gone
        assert closed(silent)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


def test_a_connection_that_is_used_again_has_a_deadline_again_and_a_long_body_none_of_these() -> None:
    with listening(FakeGuard(), header_timeout_s=0.3) as port, connected(port) as connection:
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
        assert closed(connection)


def test_who_does_not_read_its_reply_gives_its_place_back() -> None:
    fake = FakeGuard(pieces=("word " * 20_000,) * 400)
    with listening(fake, send_timeout_s=0.3) as port, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        body = b'{"prompt": "a", "stream": true}'
        head = "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}"
        connection.sendall(head.encode() + b"\r\n\r\n" + body)

        def in_flight() -> float:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
            return metric(text, "safevlm_in_flight", endpoint="chat")

        eventually(lambda: in_flight() == 1)
        eventually(lambda: in_flight() == 0)
