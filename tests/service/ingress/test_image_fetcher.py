"""Pictures by URL, against a server that does everything to get where it must not."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
import trustme

from safety_core.errors import ImageError
from service.ingress.image_fetcher import ImageFetcher
from service.ingress.public_addresses import Address
from service.settings import Settings
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.applications import open_client

LOCAL = ip_address("127.0.0.1")


PICTURE = b"\x89PNG" + bytes(3000)

Handler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def hostile(authority: trustme.CA, handler: Handler, seen: list[str]) -> AsyncIterator[int]:
    """An https server that answers as it likes; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pictures.example", "other.example", "a.cdn.example").configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            seen.append(head)
            await handler(head.split()[1], writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Names:
    """A resolver that answers from a list, another each time where it is told to."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers: Iterator[Sequence[str]] = iter(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        return [ip_address(text) for text in next(self._answers, ["127.0.0.1"])]


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def sized(body: bytes = PICTURE) -> bytes:
    return answer(body, f"Content-Length: {len(body)}")


def fetched(
    authority: trustme.CA,
    handler: Handler,
    *,
    url: str = "https://pictures.example:{port}/a.png",
    names: Names | None = None,
    hosts: str = "pictures.example:{port}",
    allowed: Callable[[Address], bool] = lambda address: address == LOCAL,
    timeout_s: float = 20,
    seen: list[str] | None = None,
) -> bytes:
    async def run() -> bytes:
        async with hostile(authority, handler, [] if seen is None else seen) as port:
            trust = ssl.create_default_context()
            authority.configure_trust(trust)
            fetcher = ImageFetcher(
                [host.format(port=port) for host in hosts.split()],
                max_bytes=5000,
                timeout_s=timeout_s,
                trust=trust,
                resolver=names or Names(),
                is_allowed=allowed,
            )
            return await fetcher.fetch(url.format(port=port))

    return asyncio.run(run())


def code_of(error: pytest.ExceptionInfo[ImageError]) -> str:
    return error.value.code


async def good(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(sized())


def test_a_picture_of_a_listed_host_is_fetched_and_the_request_tells_nothing(authority: trustme.CA) -> None:
    seen: list[str] = []
    assert fetched(authority, good, seen=seen) == PICTURE
    (head,) = seen
    assert {line.split(":")[0].lower() for line in head.splitlines()[1:] if line} == {
        "host", "accept", "accept-encoding", "user-agent",
    }  # fmt: skip


def test_a_redirect_is_followed_where_it_may_lead(authority: trustme.CA) -> None:
    async def moved(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(sized() if path == "/b.png" else answer(b"", "Location: /b.png", status="302 Found"))

    assert fetched(authority, moved) == PICTURE


@pytest.mark.parametrize(
    "target",
    [
        "http://pictures.example/a.png",
        "https://10.0.0.1/a.png",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/a.png",
        "https://localhost/a.png",
        "https://other.example/a.png",
        "https://pictures.example.evil.example/a.png",
        "https://user:pass@pictures.example/a.png",
        "https://pictures.example:22/a.png",
        "file:///etc/passwd",
        "gopher://pictures.example/",
        "//10.0.0.1/",
        "https://pictures.example:99999/",
        "https://pictures.example/\xe4.png",
    ],
)
def test_no_redirect_leads_elsewhere(authority: trustme.CA, target: str) -> None:
    async def moved(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", f"Location: {target}", status="301 Moved Permanently"))

    names = Names()
    with pytest.raises(ImageError) as error:
        fetched(authority, moved, names=names)
    assert code_of(error) == "image_url"
    assert names.asked == ["pictures.example"]


def test_redirects_end(authority: trustme.CA) -> None:
    seen: list[str] = []

    async def circle(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", "Location: /again", status="302 Found"))

    with pytest.raises(ImageError) as error:
        fetched(authority, circle, seen=seen)
    assert code_of(error) == "image_url_failed"
    assert len(seen) == 4


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["::1"], ["169.254.169.254"], []])
def test_a_name_with_any_inner_address_is_not_connected_to(authority: trustme.CA, addresses: list[str]) -> None:
    seen: list[str] = []
    with pytest.raises(ImageError) as error:
        fetched(authority, good, names=Names(addresses), seen=seen)
    assert code_of(error) == "image_url"
    assert seen == []


def test_a_name_that_changes_is_checked_at_every_hop_and_asked_once_for_each(authority: trustme.CA) -> None:
    seen: list[str] = []

    async def moved(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", "Location: /b.png", status="302 Found"))

    names = Names(["127.0.0.1"], ["10.0.0.1"])
    with pytest.raises(ImageError) as error:
        fetched(authority, moved, names=names, seen=seen)
    assert code_of(error) == "image_url"
    assert (len(seen), names.asked) == (1, ["pictures.example"] * 2)


def test_an_address_is_no_way_around_the_list_or_the_certificate(authority: trustme.CA) -> None:
    with pytest.raises(ImageError) as error:
        fetched(authority, good, url="https://127.0.0.1:{port}/", hosts="127.0.0.1:{port}")
    assert code_of(error) == "image_url_failed"


async def drips(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b"", "Content-Length: 3000"))
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def never_answers(path: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


@pytest.mark.parametrize("handler", [drips, never_answers])
def test_a_slow_server_is_given_up(authority: trustme.CA, handler: Handler) -> None:
    with pytest.raises(ImageError) as error:
        fetched(authority, handler, timeout_s=0.3)
    assert code_of(error) == "image_url_failed"


async def endless(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b"", "Transfer-Encoding: chunked"))
    while not writer.is_closing():
        writer.write(b"400\r\n" + bytes(1024) + b"\r\n")
        await writer.drain()


async def too_long(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b"", "Content-Length: 99999999999"))


@pytest.mark.parametrize("handler", [endless, too_long])
def test_what_is_too_large_is_not_read_to_its_end(authority: trustme.CA, handler: Handler) -> None:
    with pytest.raises(ImageError) as error:
        fetched(authority, handler)
    assert code_of(error) == "image_too_large"


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"short", "Content-Length: 3000"),
        answer(b"x", "Content-Length: nonsense"),
        answer(b"x", "Content-Length: 1", "Content-Encoding: gzip"),
        answer(b"", status="404 Not Found"),
        answer(b"", status="302 Found"),
        b"",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_no_sound_answer_is_an_error(authority: trustme.CA, reply: bytes) -> None:
    async def broken(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)

    with pytest.raises(ImageError) as error:
        fetched(authority, broken)
    assert code_of(error) == "image_url_failed"


def test_a_certificate_for_another_name_is_not_accepted(authority: trustme.CA) -> None:
    with pytest.raises(ImageError) as error:
        fetched(authority, good, url="https://wrong.example:{port}/", hosts="wrong.example:{port}")
    assert code_of(error) == "image_url_failed"


@pytest.mark.parametrize(
    ("hosts", "host", "works"),
    [
        ("*.cdn.example:{port}", "a.cdn.example", True),
        ("*.cdn.example:{port}", "cdn.example", False),
        ("*.cdn.example:{port}", "evilcdn.example", False),
        ("pictures.example", "pictures.example", False),
        ("PICTURES.example:{port}", "pictures.EXAMPLE", True),
    ],
)
def test_the_list_means_what_it_says(authority: trustme.CA, hosts: str, host: str, works: bool) -> None:
    url = f"https://{host}:{{port}}/"
    if works:
        assert fetched(authority, good, url=url, hosts=hosts) == PICTURE
        return
    with pytest.raises(ImageError) as error:
        fetched(authority, good, url=url, hosts=hosts)
    assert code_of(error) == "image_url"


@pytest.mark.parametrize("host", ["a" * 70, "a.", "\xe4", "\xe4."])
def test_a_name_that_can_be_none_is_an_error_like_any_other(host: str) -> None:
    fetcher = ImageFetcher(["*.example"], max_bytes=1, timeout_s=20)
    with pytest.raises(ImageError):
        asyncio.run(fetcher.fetch(f"https://{host}.example/a.png"))


def test_a_redirect_to_no_url_is_an_error_like_any_other(authority: trustme.CA) -> None:
    async def lost(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", "Location: https://[nowhere", status="302 Found"))

    with pytest.raises(ImageError) as error:
        fetched(authority, lost)
    assert code_of(error) == "image_url_failed"


def test_it_is_off_unless_hosts_are_named() -> None:
    assert Settings().image_url_hosts == ()
    assert Settings.model_validate({"image_url_hosts": "a.example, *.b.example,"}).image_url_hosts == (
        "a.example",
        "*.b.example",
    )
    body = {"prompt": "a", "images": ["https://pictures.example/a.png"]}
    with open_client(FakeGuard()) as client:
        response = client.post("/v1/chat", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "image_url")
    assert "pictures.example" not in response.text
