"""A cheap load generator: plain sockets, keep-alive connections, server-sent events timed as they arrive.

It shares the machine with the measured server, so it parses as little as possible.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_TOKENS = re.compile(rb'"completion_tokens": ?(\d+)')
_CHUNK_LIMIT = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One POST request."""

    path: str
    body: bytes
    content_type: str

    headers: bytes = b""
    """Further header lines, each with its line end."""

    word: re.Pattern[bytes] = field(default=re.compile(rb"event: delta\n"))
    """Matches the first piece of a streamed reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The response to one request, with its times."""

    status: int
    sent: float
    """Time of sending, from ``time.perf_counter``."""

    seconds: float
    """Seconds until the last byte."""

    first_s: float | None
    """Seconds until the first piece of a streamed reply; None if the reply was not streamed."""

    tokens: int
    """Tokens of the reply as counted by the server; 0 if the response has no count."""

    refused: bool
    """Whether the guard refused."""


class Connection:
    """A keep-alive connection to a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, request: Request) -> Answer:
        """Send a request and read the whole response."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=_CHUNK_LIMIT)
        reader, writer = self._streams
        head = (
            f"POST {request.path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: {request.content_type}\r\n"
            f"content-length: {len(request.body)}\r\n"
        )
        sent = time.perf_counter()
        writer.write(head.encode() + request.headers + b"\r\n" + request.body)
        headers = (await reader.readuntil(b"\r\n\r\n")).lower()
        first_s, body = None, b""
        if (length := re.search(rb"content-length: (\d+)", headers)) is not None:
            body = await reader.readexactly(int(length.group(1)))
        else:
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readexactly(2)
                if first_s is None and request.word.search(body):
                    first_s = time.perf_counter() - sent
            await reader.readexactly(2)
        seconds = time.perf_counter() - sent
        if b"connection: close" in headers:
            await self.close()
        tokens = _TOKENS.findall(body)
        return Answer(
            status=int(headers.split(None, 2)[1]),
            sent=sent,
            seconds=seconds,
            first_s=first_s,
            tokens=int(tokens[-1]) if tokens else 0,
            refused=b'"decision":"refused"' in body,
        )

    async def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _send_closed_loop(url: str, requests: Iterable[Request], clients: int) -> list[Answer]:
    left, answers = iter(requests), list[Answer]()

    async def client() -> None:
        connection = Connection(url)
        for request in left:
            answers.append(await connection.post(request))
        await connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers


async def _send_open_loop(url: str, make: Callable[[int], Request], rate: float, seconds: float) -> list[Answer]:
    free: list[Connection] = []
    answers: list[Answer] = []

    async def one(number: int) -> None:
        connection = free.pop() if free else Connection(url)
        try:
            answers.append(await connection.post(make(number)))
        except (ConnectionError, asyncio.IncompleteReadError):
            await connection.close()
        free.append(connection)

    tasks: list[asyncio.Task[None]] = []
    begun = time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        tasks += [asyncio.create_task(one(number)) for number in range(len(tasks), int(elapsed * rate))]
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)
    for connection in free:
        await connection.close()
    return answers


def run_closed_loop(url: str, requests: Iterable[Request], *, clients: int) -> list[Answer]:
    """Send requests from several clients; each client sends its next request when the previous one is answered."""
    return asyncio.run(_send_closed_loop(url, requests, clients))


def run_open_loop(url: str, make: Callable[[int], Request], *, rate: float, seconds: float) -> list[Answer]:
    """Send ``rate`` requests a second, whether or not earlier ones are answered; waits for the last answers."""
    return asyncio.run(_send_open_loop(url, make, rate, seconds))
