"""What parsing may cost, and requests that are no valid HTTP."""

import http.client
import json
from dataclasses import dataclass, field

import httpx
import pytest

from service.server.rejections import RejectedRequestError
from service.server.request_head import RequestHead
from service.server.request_reader import RequestReader
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.metrics import read_metric
from tests.helpers.server.raw_http import (
    CHUNKED,
    HEAD,
    HEALTH,
    connect,
    read_error_code,
    receive_until,
    receive_until_closed,
)
from tests.helpers.server.threads import run_bounded_server


@dataclass
class Handler:
    """Gets what was parsed, and holds the parser back after each head if asked to."""

    holds: bool = False
    is_holding: bool = False
    paths: list[str] = field(default_factory=list)
    body: bytes = b""
    ends: int = 0

    def handle_head(self, head: RequestHead) -> None:
        self.paths.append(head.path)
        self.is_holding = self.holds

    def handle_body(self, data: bytes) -> None:
        self.body += data

    def handle_end(self) -> None:
        self.ends += 1


def test_a_request_is_read_however_it_is_cut() -> None:
    whole = CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + HEALTH
    for size in (1, 7, len(whole)):
        handler = Handler()
        reader = RequestReader(handler)
        for at in range(0, len(whole), size):
            reader.add(whole[at : at + size])
            assert reader.parse(60)
        assert (handler.paths, handler.body, handler.ends) == (["/v1/chat", "/healthz"], b"abcde", 2)
        assert (reader.is_in_head, reader.is_in_body, reader.has_unparsed) == (False, False, False)


def test_parsing_stops_at_the_end_of_its_share_and_while_the_application_is_behind() -> None:
    handler = Handler(holds=True)
    reader = RequestReader(handler)
    reader.add(HEAD + b"Content-Length: 200000\r\n\r\n" + b"a" * 100_000)
    assert reader.parse(60), "what waits for the application needs no further turn"
    assert (handler.paths, reader.has_unparsed) == (["/v1/chat"], True)
    handler.is_holding = handler.holds = False
    assert reader.parse(0) is False
    assert 0 < len(handler.body) < 100_000
    assert reader.parse(60)
    assert len(handler.body) == 100_000
    assert reader.is_in_body


def test_nothing_behind_an_error_is_parsed() -> None:
    reader = RequestReader(Handler())
    reader.add(b"NOTHING / HTTP/1.1\r\n\r\n" + HEALTH * 100)
    with pytest.raises(RejectedRequestError, match="method_not_allowed"):
        reader.parse(60)
    assert not reader.has_unparsed


def in_chunks(body: bytes) -> bytes:
    """A body in chunks of one byte."""
    return b"".join(b"1\r\n%c\r\n" % byte for byte in body)


def test_a_body_in_tiny_chunks_is_read_as_long_as_there_are_not_too_many() -> None:
    fake = FakeGuard()
    with run_bounded_server(fake) as port:
        with connect(port) as connection:
            connection.sendall(CHUNKED + in_chunks(b'{"prompt": "a"' + b" " * 3000 + b"}") + b"0\r\nX: trailer\r\n\r\n")
            assert receive_until(connection, b"}}").startswith(b"HTTP/1.1 200")
            connection.sendall(HEALTH)
            assert receive_until(connection, b"}").startswith(b"HTTP/1.1 200"), "the connection can be used again"
        for endless in (in_chunks(b" " * 20_000), b"1;" + b"a" * 600_000, b"1;a=b\r\na\r\n" * 100_000):
            with connect(port) as connection:
                connection.sendall(CHUNKED + endless)
                reply = receive_until_closed(connection)
                assert (reply[:12], read_error_code(reply)) == (b"HTTP/1.1 400", "too_many_chunks")
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
        assert (int(reply.split(b" ")[1]), read_error_code(reply)) == (status, code)
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert read_metric(text, "safevlm_rejected_total", reason=code) == 1


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
        assert receive_until(connection, b"}}").startswith(b"HTTP/1.1 200")
        connection.sendall(HEALTH[:-2] + offer + b"\r\n" + HEALTH)
        assert receive_until(connection, b'{"status":"ok"}').startswith(b"HTTP/1.1 200")
