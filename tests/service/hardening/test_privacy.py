"""Nothing of what clients send turns up where it has no business: logs, metrics, errors, heads, files."""

import io
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from safety_core.errors import ExhaustedError, GenerationError
from service.access.api_keys import Scope, format_key_entry
from service.settings.values import LogFormat
from service.telemetry.logs import JsonFormatter, TextFormatter, set_up_logging
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.requests.canaries import (
    CORE,
    HEADERS,
    OTHERS,
    QUERY,
    WORD,
    CanaryRequest,
    create_invalid_requests,
    create_requests_for_any_path,
    create_valid_requests,
    draw_word,
    encode_word,
    find_forms,
)
from tests.helpers.requests.judging_requests import ANSWERING, JUDGING, PAGE_CHAT, UNGUARDED, build_body, build_options
from tests.helpers.server.applications import open_client as in_process
from tests.helpers.server.keys import build_bearer_header
from tests.helpers.server.metrics import count_in_flight
from tests.helpers.server.processes import ServerProcess, run_server
from tests.helpers.server.raw_http import is_closed, send_and_leave
from tests.helpers.server.routes import MODEL_LABELS, walk_routes
from tests.helpers.server.threads import run_threaded_server
from tests.helpers.waiting import wait_until

SPY = """
import os, sys

log = os.open(os.environ["OPENED_FOR_WRITING"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def hook(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        os.write(log, f"{arguments[0]}\\n".encode())

sys.addaudithook(hook)
"""
"""Runs at the start of a server's interpreter: every file that is opened for writing leaves its name."""


# --- the search itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", encode_word())
def test_the_search_finds_it_in_every_form(form: str) -> None:
    assert form in find_forms(b"before" + encode_word()[form] + b"behind")
    assert find_forms(b"nothing of it") == []


@pytest.mark.parametrize(
    "leak",
    [
        WORD.encode(),
        repr(WORD).encode(),
        json.dumps({"error": WORD}).encode(),
        repr({"image": draw_word()}).encode(),
        draw_word(),
        draw_word("JPEG"),
        json.dumps(build_body("/v1/chat", "x", draw_word())).encode(),
        json.dumps(build_body("/v1/chat", "x", b"." + draw_word())).encode(),
        json.dumps(build_body("/v1/chat", "x", b".." + draw_word("JPEG"))).encode(),
        HEADERS["Cookie"].encode(),
        QUERY.encode(),
        draw_word().hex().encode(),
    ],
)
def test_the_search_finds_what_a_careless_line_would_say(leak: bytes) -> None:
    assert find_forms(leak)


# --- a real server ---------------------------------------------------------------------------------------------------


@contextmanager
def spied(checkpoint: Path, folder: Path, form: LogFormat) -> Iterator[tuple[ServerProcess, Callable[[], list[str]]]]:
    """A server with a temporary folder of its own, and the files that it opened for writing since it was ready."""
    hook, opened, temporary = folder / "hook", folder / "opened", folder / "tmp"
    hook.mkdir()
    temporary.mkdir()
    (hook / "sitecustomize.py").write_text(SPY)
    environment = {
        "PYTHONPATH": str(hook),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENED_FOR_WRITING": str(opened),
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
    }
    settings: dict[str, Any] = {"log_level": "debug", "log_format": form, "max_body_bytes": 1_000_000}
    settings |= {"body_timeout_s": 0.5, "max_tokens": 8, "default_max_tokens": 2, "playground_compare": "true"}
    with run_server(checkpoint, environment=environment, **settings) as server:
        before = opened.read_text().splitlines()
        yield server, lambda: opened.read_text().splitlines()[len(before) :]


def sent(client: httpx.Client, url: str, request: CanaryRequest) -> httpx.Response:
    return client.request(request.method, f"{url}{request.path}", **request.options)


def assert_clean(response: httpx.Response, request: CanaryRequest) -> None:
    """No head quotes the client, and no error does; a reply of the model may."""
    where = f"{request.method} {request.path}: {request.name}"
    assert find_forms(str(response.headers).encode()) == [], where
    if request.status == 200:
        assert response.status_code == 200, f"{where}: {response.text}"
        return
    assert find_forms(response.content) == [], where
    if request.status is not None:
        assert response.status_code == request.status, f"{where}: {response.text}"
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}, where


def rubbish(url: str) -> None:
    """What is no HTTP, or asks for another protocol, or does not end."""
    host, port = url.removeprefix("http://").split(":")
    plain = f"{CORE} {CORE}\r\n\r\n".encode()
    header = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + WORD.encode() + b": \0\r\n\r\n"
    long = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + WORD.encode() * 20_000 + b"\r\n\r\n"
    upgrade = (
        f"GET /v1/chat{QUERY} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
    ).encode()
    late = (
        f"POST /v1/chat{QUERY} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 999\r\n\r\n"
        f'{{"prompt": "{WORD}'
    ).encode()
    for said in (plain, header, long, upgrade, late):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            answer = b""
            try:
                connection.sendall(said)
                if said is not late:
                    connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(4096):
                    answer += part
            except ConnectionError:
                assert is_closed(connection)
            assert find_forms(answer) == []
            assert (b"body_timeout" in answer) == (said is late)


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_server_writes_nothing_of_its_clients(tiny_checkpoint: Path, tmp_path: Path, form: LogFormat) -> None:
    with spied(tiny_checkpoint, tmp_path, form) as (server, opened), httpx.Client(timeout=60) as client:
        for route in JUDGING:
            for request in (*create_valid_requests(route, model="tiny"), *create_invalid_requests(route, model="tiny")):
                assert_clean(sent(client, server.url, request), request)
        for path in (*JUDGING, *OTHERS, "/nowhere"):
            for method in ("GET", "POST", "OPTIONS", "HEAD"):
                for request in create_requests_for_any_path(path, method):
                    assert_clean(sent(client, server.url, request), request)
        rubbish(server.url)
        for accept in ("text/plain", "application/openmetrics-text", HEADERS["Accept"]):
            metrics = client.get(f"{server.url}/metrics", headers={"Accept": accept})
            assert find_forms(metrics.content + str(metrics.headers).encode()) == []
            assert b"safevlm_requests_total" in metrics.content
        assert opened() == []
        assert server.stop() == 0
        log = server.log.read_bytes()
    assert log.count(b"unknown_field") > 5, "its requests stand in the log"
    assert log.count(b"Uvicorn running") == 1
    assert find_forms(log) == []
    assert b"Traceback" not in log
    left = [file for file in (tmp_path / "tmp").rglob("*") if file.is_file()]
    assert [file for file in left if find_forms(str(file).encode() + file.read_bytes())] == []


def test_the_spy_sees_what_is_opened_for_writing(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SPY)
    opened = tmp_path / "opened"
    code = "import tempfile; tempfile.TemporaryFile().write(b'x'); open('/dev/null', 'rb'); open('/dev/null', 'wb')"
    environment = {"PYTHONPATH": str(tmp_path), "OPENED_FOR_WRITING": str(opened), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    names = opened.read_text().splitlines()
    assert any(name.startswith(str(tmp_path)) for name in names)
    assert names.count("/dev/null") == 1


def test_no_path_is_forgotten() -> None:
    with in_process(FakeGuard()) as client:
        assert {path for path, _ in walk_routes(client.app.routes)} == {*JUDGING, *OTHERS}  # type: ignore[attr-defined]


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that any logger writes at the level that a server's operator can ask for, in both formats."""
    written = io.StringIO()
    set_up_logging("debug")
    root = logging.getLogger()
    handlers = [logging.StreamHandler(written) for _ in range(2)]
    for handler, formatter in zip(handlers, (JsonFormatter(), TextFormatter()), strict=True):
        handler.setFormatter(formatter)
        root.addHandler(handler)
    yield written
    for handler in handlers:
        root.removeHandler(handler)


def judging_fails(fake: FakeGuard) -> None:
    fake.failure = RuntimeError(WORD)


def memory_runs_out(fake: FakeGuard) -> None:
    fake.failure = ExhaustedError(WORD)


def the_worker_dies(fake: FakeGuard) -> None:
    fake.fault = RuntimeError(WORD)


def the_worker_dies_of_a_reply(fake: FakeGuard) -> None:
    fake.fault_in_step = RuntimeError(WORD)


def there_is_no_verdict(fake: FakeGuard) -> None:
    fake.decision = None


def the_reply_fails(fake: FakeGuard) -> None:
    fake.late_failure = GenerationError(WORD)


def the_reply_fails_unforeseen(fake: FakeGuard) -> None:
    fake.late_failure = RuntimeError(WORD)


def the_verdict_is_late(fake: FakeGuard) -> None:
    fake.gate.clear()


def the_reply_is_late(fake: FakeGuard) -> None:
    fake.between.clear()


IN_JUDGING = (judging_fails, memory_runs_out, the_worker_dies, there_is_no_verdict, the_verdict_is_late)
IN_ANSWERING = (the_worker_dies_of_a_reply, the_reply_fails, the_reply_fails_unforeseen, the_reply_is_late)


@pytest.mark.parametrize("fault", [*IN_JUDGING, *IN_ANSWERING], ids=lambda fault: fault.__name__)
def test_a_fault_says_nothing_of_the_request(fault: Callable[[FakeGuard], None], lines: io.StringIO) -> None:
    routes = JUDGING if fault in IN_JUDGING else (*ANSWERING, PAGE_CHAT, UNGUARDED)
    timeouts = {"verdict_timeout_s": 0.3, "reply_timeout_s": 0.3, "canary_interval_s": 60}
    for route in routes:
        for stream in (False, True) if route in (*ANSWERING, PAGE_CHAT) else (False,):
            fake = FakeGuard(pieces=("It is ", "a word."), bare_pieces=("It is ", "a word."))
            with run_threaded_server(fake, **timeouts, playground_compare=True) as url:
                fault(fake)
                fields = {"stream": True} if stream else {}
                asked = build_options(route, WORD, draw_word(), model="fake", headers=HEADERS, **fields)
                response = httpx.post(f"{url}{route}{QUERY}", **asked, timeout=60)
                assert response.status_code == 200 or set(response.json()) == {"error"}
                assert find_forms(response.content + str(response.headers).encode()) == [], (route, stream)
                for accept in ("", "application/openmetrics-text"):
                    metrics = httpx.get(f"{url}/metrics", headers={"Accept": accept})
                    assert find_forms(metrics.content) == []
                fake.gate.set()
                fake.between.set()
    assert lines.getvalue().count("request") > len(routes)
    assert find_forms(lines.getvalue().encode()) == []


def test_who_is_turned_away_is_told_nothing_of_the_request(lines: io.StringIO) -> None:
    keys = format_key_entry("a", "good", [Scope.CHAT, Scope.CLASSIFY]) + format_key_entry(
        "b", "narrow", [Scope.METRICS]
    )
    fake = FakeGuard(bare_pieces=("a",))
    fake.gate.clear()
    settings: dict[str, Any] = {"api_keys": keys, "max_requests": 1, "playground_compare": True}
    with run_threaded_server(fake, **settings) as url, ThreadPoolExecutor(1) as pool:
        first = pool.submit(
            httpx.post, f"{url}/v1/chat", json={"prompt": WORD}, headers=build_bearer_header("good"), timeout=60
        )
        wait_until(lambda: len(fake.requests) == 1)
        for route in JUDGING:
            for key, status in ((HEADERS["Cookie"], 429), ("good", 429)):
                headers = HEADERS | build_bearer_header(key)
                asked = build_options(route, WORD, draw_word(), model="fake", headers=headers)
                response = httpx.post(f"{url}{route}{QUERY}", **asked)
                assert response.status_code == status
                assert find_forms(response.content + str(response.headers).encode()) == []
        fake.gate.set()
        assert first.result().status_code == 200
        for route in JUDGING:
            for key, status in ((HEADERS["Cookie"], 401), ("narrow", 403)):
                for header in (build_bearer_header(key), {"x-api-key": key}):
                    asked = build_options(route, WORD, draw_word(), model="fake", headers=HEADERS | header)
                    response = httpx.post(f"{url}{route}{QUERY}", **asked)
                    assert response.status_code == status
                    assert find_forms(response.content + str(response.headers).encode()) == []
    assert find_forms(lines.getvalue().encode()) == []


def _was_reached(fake: FakeGuard) -> bool:
    return bool(fake.requests or fake.began.is_set())


def test_who_leaves_leaves_nothing(lines: io.StringIO) -> None:
    for route in JUDGING:
        fake = FakeGuard(bare_pieces=("a",))
        fake.gate.clear()
        fake.between.clear()
        with run_threaded_server(fake, playground_compare=True) as url:
            asked = build_options(route, WORD, draw_word(), model="fake")
            send_and_leave(url, route, asked, once=partial(_was_reached, fake))
            label = MODEL_LABELS[route]
            wait_until(lambda url=url, label=label: count_in_flight(url, label) == 0)  # type: ignore[misc]
    assert find_forms(lines.getvalue().encode()) == []
