"""HTTP over plain sockets, for clients that misbehave."""

import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.helpers.waiting import wait_until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def is_closed(connection: socket.socket) -> bool:
    """Whether the next read finds the connection closed."""
    try:
        return connection.recv(4096) == b""
    except ConnectionError:
        return True


def receive_until_closed(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def receive_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        part = connection.recv(65536)
        assert part, received
        received += part
    return received


def read_error_code(reply: bytes) -> str:
    code = json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["code"]
    assert isinstance(code, str)
    return code


def send_and_leave(url: str, path: str, body: dict[str, Any], *, once: Callable[[], bool]) -> None:
    """Send a request, wait until ``once`` holds, and disconnect without reading the response."""
    target = urlsplit(url)
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {target.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection((target.hostname, target.port or 80), 60) as connection:
        connection.sendall(head.encode() + content)
        wait_until(once)
