"""HTTP over plain sockets, for clients that misbehave."""

import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

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


def send_and_leave(url: str, path: str, options: dict[str, Any], *, once: Callable[[], bool]) -> None:
    """Send a request, wait until ``once`` holds, and disconnect without reading the response.

    Args:
        url: the server.
        path: path of the request.
        options: arguments of ``httpx.post``.
        once: tells when to disconnect.
    """
    target, request = urlsplit(url), httpx.Request("POST", f"{url}{path}", **options)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection((target.hostname, target.port or 80), 60) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        wait_until(once)
