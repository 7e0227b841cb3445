"""Slow clients: a head that does not end, and a reply that nobody reads."""

import asyncio
import http.client
import json
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from service.access.addresses import TrustedProxies, derive_client_key
from service.server.http_protocol import (
    AcceptComplaint,
    ConnectionLimits,
)
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.keys import KEY_FILE
from tests.helpers.server.metrics import read_metric
from tests.helpers.server.raw_http import connect, is_closed, receive_until_closed
from tests.helpers.server.threads import run_bounded_server
from tests.helpers.waiting import wait_until


def received_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        part = connection.recv(65536)
        assert part, received
        received += part
    return received


def error_code(reply: bytes) -> str:
    code = json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["code"]
    assert isinstance(code, str)
    return code


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def in_chunks(body: bytes) -> bytes:
    """A body in chunks of one byte."""
    return b"".join(b"1\r\n%c\r\n" % byte for byte in body)


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


# --- bodies that nobody wants ----------------------------------------------------------------------------------------


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
        reply = received_until(connection, b"}}")
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


# --- what parsing may cost -------------------------------------------------------------------------------------------


def test_a_body_in_tiny_chunks_is_read_as_long_as_there_are_not_too_many() -> None:
    fake = FakeGuard()
    with run_bounded_server(fake) as port:
        with connect(port) as connection:
            connection.sendall(CHUNKED + in_chunks(b'{"prompt": "a"' + b" " * 3000 + b"}") + b"0\r\nX: trailer\r\n\r\n")
            assert received_until(connection, b"}}").startswith(b"HTTP/1.1 200")
            connection.sendall(HEALTH)
            assert received_until(connection, b"}").startswith(b"HTTP/1.1 200"), "the connection can be used again"
        for endless in (in_chunks(b" " * 20_000), b"1;" + b"a" * 600_000, b"1;a=b\r\na\r\n" * 100_000):
            with connect(port) as connection:
                connection.sendall(CHUNKED + endless)
                reply = receive_until_closed(connection)
                assert (reply[:12], error_code(reply)) == (b"HTTP/1.1 400", "too_many_chunks")
        assert len(fake.requests) == 1
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (HEALTH[:-2] + b"a: b\r\n" * 100 + b"\r\n", 431, "headers_too_large"),
        (HEALTH[:-2] + b"a:\r\n" * 15_000 + b"\r\n", 431, "headers_too_large"),
        (HEALTH[:-2] + b"a: " + b"b" * 40_000, 431, "headers_too_large"),
        (HEALTH[:-2] + b"a" * 40_000, 431, "headers_too_large"),
        (b"\r\n" * 30_000, 431, "headers_too_large"),
        (CHUNKED + b"1\r\n{\r\n0\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431, "headers_too_large"),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n", 414, "uri_too_long"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "bad_host"),
        (HEALTH[:-2] + b"Host: localhost\r\n\r\n", 400, "bad_host"),
        (b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_host"),
        (b"GET http://localhost@evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_host"),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, "method_not_allowed"),
        (b"NOTHING / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, "method_not_allowed"),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505, "http_version"),
        (b"GET /v1/chat\x0b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"),
        (b"GET /\xc2\x85 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_request"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "transfer_encoding"),
        (CHUNKED + b"zz\r\n", 400, "bad_request"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA : b\r\n\r\n", 400, "bad_request"),
    ],
)
def test_what_is_no_sound_request_is_refused_and_the_connection_closed(request_: bytes, status: int, code: str) -> None:
    with run_bounded_server(FakeGuard()) as port, connect(port) as connection:
        connection.sendall(request_)
        reply = receive_until_closed(connection)
        assert (int(reply.split(b" ")[1]), error_code(reply)) == (status, code)
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert read_metric(text, "safevlm_rejected_total", reason=code) == 1


def test_replies_to_requests_sent_at_once_come_in_their_order() -> None:
    with run_bounded_server(FakeGuard()) as port, connect(port) as connection:
        body = b'{"prompt": "a"}'
        chat = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
        connection.sendall((chat + HEALTH) * 50 + b"NOTHING\r\n\r\n" + HEALTH)
        replies = receive_until_closed(connection).split(b"HTTP/1.1 ")[1:]
        assert [reply[:3] for reply in replies] == [b"200"] * 100 + [b"501"]
        assert [b'"decision"' in reply for reply in replies] == [True, False] * 50 + [False]


@pytest.mark.parametrize("size", [40_000, 300_000])
@pytest.mark.parametrize("chunk", [0, 5_000, 300_000])
def test_a_large_body_does_not_count_as_the_head_of_the_next_request(size: int, chunk: int) -> None:
    body = b'{"prompt": "a"}' + b" " * size
    framing = b"Transfer-Encoding: chunked\r\n\r\n" if chunk else b"Content-Length: %d\r\n\r\n" % len(body)
    if chunk:
        pieces = [body[at : at + chunk] for at in range(0, len(body), chunk)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    with run_bounded_server(FakeGuard()) as port, connect(port) as connection:
        for _ in range(3):
            connection.sendall(HEAD + framing + body)
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert response.status == 200
            assert json.loads(response.read())["decision"] == "allowed"
            response.close()


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 15\r\n\r\n%s", b"Transfer-Encoding: chunked\r\n\r\nf\r\n%s\r\n0\r\n\r\n"]
)
def test_an_offer_of_another_protocol_is_ignored(framing: bytes) -> None:
    """Java's client makes it with its first request, body and all."""
    with run_bounded_server(FakeGuard()) as port, connect(port) as connection:
        offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        connection.sendall(HEAD + offer + framing % b'{"prompt": "a"}')
        assert received_until(connection, b"}}").startswith(b"HTTP/1.1 200")
        connection.sendall(HEALTH[:-2] + offer + b"\r\n" + HEALTH)
        assert received_until(connection, b'{"status":"ok"}').startswith(b"HTTP/1.1 200")


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


# --- how many connections --------------------------------------------------------------------------------------------


def test_connections_that_wait_for_their_client_make_room() -> None:
    with run_bounded_server(FakeGuard(), max_connections=8) as port, ExitStack() as stack:
        idle = [stack.enter_context(connect(port)) for _ in range(4)]
        for connection in idle:
            connection.sendall(HEALTH)
            received_until(connection, b"}")
        others = [stack.enter_context(connect(port)) for _ in range(40)]
        for connection in others:
            with suppress(ConnectionError):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        assert all(is_closed(connection) for connection in [*idle, *others[:32]])
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


@dataclass(eq=False)
class Peer:
    """As much of a connection as its limits look at; its transport is itself."""

    address: str
    closed: bool = False

    @property
    def client_key(self) -> str:
        return derive_client_key(self.address)

    @property
    def transport(self) -> "Peer":
        return self

    def abort(self) -> None:
        self.closed = True


def _opened(limits: ConnectionLimits, address: str, *, waits: bool) -> tuple[Any, bool]:
    """A new connection, and whether it may be used for more than health checks."""
    peer: Any = Peer(address)
    allowed = limits.add(peer) is None
    if waits:
        limits.waits(peer)
    return peer, allowed


def test_connections_that_are_served_are_never_closed_and_a_few_are_kept_for_health_checks() -> None:
    limits = ConnectionLimits(3)
    served = [_opened(limits, "127.0.0.1", waits=False) for _ in range(3)]
    further = [_opened(limits, "127.0.0.1", waits=False) for _ in range(9)]
    assert [allowed for _, allowed in served + further] == [True] * 3 + [False] * 9
    assert limits.is_full
    for peer, _ in further:
        limits.remove(peer)
        limits.remove(peer)
    assert not limits.is_full
    assert not any(peer.closed for peer, _ in served)
    limits.waits(further[0][0])  # it is gone, and makes no room for anybody
    assert not _opened(limits, "127.0.0.1", waits=False)[1]


def test_room_is_made_by_who_was_answered_then_by_the_longest_waiting_of_the_largest_client() -> None:
    limits = ConnectionLimits(5)
    few, _ = _opened(limits, "10.0.0.1", waits=True)
    many = [_opened(limits, "127.0.0.1", waits=True)[0] for _ in range(3)]
    answered, _ = _opened(limits, "10.0.0.1", waits=True)
    limits.lingers(answered)
    for victim in (answered, many[0], many[1]):
        assert not victim.closed
        assert _opened(limits, "127.0.0.1", waits=True)[1]
        assert victim.closed
    assert not few.closed


def test_one_address_gets_half_of_the_connections_unless_it_stands_for_many_clients() -> None:
    limits = ConnectionLimits(8, TrustedProxies(["10.9.0.0/16"]))
    assert [_opened(limits, f"2001:db8::{number}", waits=False)[1] for number in range(6)] == [True] * 4 + [False] * 2
    limits = ConnectionLimits(8, TrustedProxies(["10.9.0.0/16"]))
    assert all(_opened(limits, "10.9.1.1", waits=False)[1] for _ in range(8))


def test_descriptors_that_run_out_are_complained_about_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        complaint = AcceptComplaint()
        for _ in range(100):
            context = {"message": "socket.accept() out of system resource", "exception": OSError(24, "none")}
            complaint.handle(loop, context)

    asyncio.run(scenario())
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_an_idle_connection_is_kept_as_long_as_the_setting_says() -> None:
    with run_bounded_server(FakeGuard(), keep_alive_timeout_s=0.3) as port, connect(port) as connection:
        connection.sendall(HEALTH)
        received_until(connection, b"}")
        assert is_closed(connection)
