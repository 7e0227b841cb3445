"""Load, departures and faults, on every route: who is answered, in what order, and that everything is given back."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from starlette.testclient import TestClient

from safety_core.engine.guard import Guard
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_png
from tests.helpers.requests.judging_requests import (
    ANSWERING,
    CHAT,
    JUDGING,
    LOOK,
    MAKE,
    MODERATIONS,
    PAGE_CHAT,
    PLAYGROUND,
    ROUTES,
    SCENE,
    STEAL,
    UNGUARDED,
    WEAPON,
    build_options,
    is_refused,
    read_error,
    send_question,
)
from tests.helpers.server.applications import open_client
from tests.helpers.server.events import parse_events
from tests.helpers.server.metrics import count_in_flight, count_queued, read_metric
from tests.helpers.server.processes import run_server
from tests.helpers.server.raw_http import connect, is_closed, send_and_leave
from tests.helpers.server.routes import MODEL_LABELS
from tests.helpers.server.threads import run_bounded_server as bounded
from tests.helpers.server.threads import run_threaded_server
from tests.helpers.waiting import wait_until


def post(url: str, route: str, text: str = "a", *, timeout: float = 60, **fields: Any) -> httpx.Response:
    return httpx.post(f"{url}{route}", **build_options(route, text, model="fake", **fields), timeout=timeout)


def until(connection: socket.socket, end: bytes) -> bytes:
    """What comes up to some bytes."""
    received = b""
    while not received.endswith(end):
        part = connection.recv(4096)
        assert part, received
        received += part
    return received


@pytest.mark.parametrize("route", ROUTES)
def test_slow_clients(route: str, fake: FakeGuard) -> None:
    """A head or a body that does not end holds nobody up, and is let go; so is a connection that is not used again."""
    with bounded(fake, header_timeout_s=0.3, body_timeout_s=0.3) as port:
        with connect(port) as silent, connect(port) as slow, connect(port) as idle:
            head = f"POST {route} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            slow.sendall(head.encode() + b"Content-Length: 99\r\n\r\n{")
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert post(f"http://127.0.0.1:{port}", route).status_code == 200
            assert is_closed(silent)
            assert until(slow, b"}}").startswith(b"HTTP/1.1 408")
            assert until(idle, b"}").startswith(b"HTTP/1.1 200")
            idle.sendall(b"GET /healthz HTT")
            assert is_closed(idle)
        assert count_in_flight(f"http://127.0.0.1:{port}", MODEL_LABELS[route]) == 0
    assert len(fake.requests) == 1


def test_overload(fake: FakeGuard) -> None:
    """Whoever is too many hears so while those accepted still wait, and takes nothing from them."""
    fake.gate.clear()
    fake.bare_pieces = fake.pieces
    with run_threaded_server(fake, max_requests=2, playground_compare=True) as url, ThreadPoolExecutor(2) as pool:
        accepted = [pool.submit(post, url, CHAT, text) for text in ("a", "b")]
        wait_until(lambda: count_in_flight(url) == 2)
        for _ in range(10):
            for route in JUDGING:
                turned_away = post(url, route)
                assert read_error(turned_away) == (429, "overloaded")
                assert int(turned_away.headers["retry-after"]) >= 1
        assert not any(one.done() for one in accepted)
        for path in ("/healthz", "/readyz", "/metrics"):
            assert httpx.get(f"{url}{path}", timeout=60).status_code == 200
        fake.gate.set()
        assert [one.result().status_code for one in accepted] == [200, 200]
        assert count_in_flight(url) == 0
        for route in JUDGING:
            assert post(url, route).status_code == 200


@pytest.mark.parametrize("route", [*ROUTES, PAGE_CHAT, PLAYGROUND])
def test_disconnect(route: str, fake: FakeGuard) -> None:
    """Who leaves the queue is never judged."""
    fake.gate.clear()
    with run_threaded_server(fake) as url, ThreadPoolExecutor(1) as pool:
        at_work = pool.submit(post, url, CHAT, "at work")
        wait_until(lambda: len(fake.requests) == 1)
        send_and_leave(url, route, build_options(route, "gone", model="fake"), once=lambda: count_queued(url) >= 1)
        wait_until(lambda: count_in_flight(url, MODEL_LABELS[route]) == (route == CHAT))
        fake.gate.set()
        assert at_work.result().status_code == 200
        assert post(url, route, "next").status_code == 200
        assert [request.turns[0].text for request in fake.requests] == ["at work", "next"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", [*ANSWERING, PAGE_CHAT, UNGUARDED])
def test_disconnect_stops_a_reply(route: str, stream: bool, fake: FakeGuard) -> None:
    fake.between.clear()
    fake.bare_pieces = fake.pieces
    with run_threaded_server(fake, playground_compare=True) as url:
        send_and_leave(url, route, build_options(route, "a", model="fake", stream=stream), once=fake.began.is_set)
        assert fake.stopped.wait(240)
        wait_until(lambda: count_in_flight(url, MODEL_LABELS[route]) == 0)
        fake.between.set()
        assert post(url, route).status_code == 200


def scarce(*args: Any, **kwargs: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("route", [*ROUTES, PAGE_CHAT, PLAYGROUND])
def test_out_of_memory(nano: TestClient, guard: Guard, route: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard.model, "encode_images", scarce)
        assert read_error(send_question(nano, route, LOOK, SCENE)) == (503, "out_of_memory")
    encode, moments = guard.model.encode_images, iter([True])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard.model, "encode_images", lambda pixels: scarce() if next(moments, False) else encode(pixels))
        assert is_refused(send_question(nano, route, MAKE, WEAPON))  # one moment is not even noticed
    assert not is_refused(send_question(nano, route, LOOK, SCENE))
    assert nano.get("/readyz").status_code == 200


def test_out_of_memory_splits_a_batch(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    judge, sizes = guard._judge, list[int]()

    def narrow(batch: Any) -> Any:
        sizes.append(len(batch))
        return scarce() if len(batch) > 1 else judge(batch)

    # Both are expected from the start, so the first waits for the second.
    with open_client(guard, cache_mb=0, max_wait_ms=60_000) as client:
        monkeypatch.setattr(guard, "_judge", narrow)
        found = client.post(MODERATIONS, json={"input": [LOOK, STEAL]}).json()
    assert [result["flagged"] for result in found["results"]] == [False, True]
    assert sizes == [2, 1, 1]


@pytest.mark.parametrize("route", [*ROUTES, PAGE_CHAT, PLAYGROUND])
def test_worker_death(route: str, fake: FakeGuard) -> None:
    """Everybody who waits hears of it, nobody is judged by a worker that was not asked yet, and it comes back."""
    with run_threaded_server(fake, canary_interval_s=0.05, max_batch=1) as url, ThreadPoolExecutor(3) as pool:
        fake.gate.clear()
        waiting = [pool.submit(post, url, route, text) for text in ("a", "b", "c")]
        wait_until(lambda: count_in_flight(url, MODEL_LABELS[route]) == 3)
        wait_until(
            lambda: read_metric(httpx.get(f"{url}/metrics").text, "safevlm_queue_depth", queue="guard") >= 2
        )  # or 3, a canary among them
        fake.wrong, fake.fault = "it was not asked yet", RuntimeError("CUDA error")
        fake.gate.set()
        assert [read_error(one.result()) for one in waiting] == [(503, "stopping")] * 3
        assert httpx.get(f"{url}/readyz").status_code == 503
        assert read_error(post(url, route)) == (503, "not_ready")
        assert httpx.get(f"{url}/healthz").status_code == 200
        fake.wrong = None
        wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        assert post(url, route).status_code == 200
        assert read_metric(httpx.get(f"{url}/metrics").text, "safevlm_worker_deaths_total") == 1


def test_drain(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Told to stop, it takes nobody new, finishes what it accepted, and ends well."""
    lenient = tmp_path / "policy.yaml"
    lenient.write_text(json.dumps({"enabled": dict.fromkeys(("illegal", "privacy"), False)}))
    begun = threading.Event()

    def chat(url: str) -> str:
        fields = {"prompt": "a", "max_tokens": "400", "stream": "true"}
        files, text = {"image": ("a.png", encode_png((28, 28)))}, ""
        with httpx.stream("POST", f"{url}{CHAT}", data=fields, files=files, timeout=120) as response:
            for line in response.iter_lines():
                begun.set()
                text += f"{line}\n"
        return text

    with run_server(tiny_checkpoint, policy=lenient) as server, ThreadPoolExecutor(1) as pool:
        accepted = pool.submit(chat, server.url)
        assert begun.wait(60)
        server.process.terminate()
        wait_until(lambda: not takes_requests(server.url))
        assert server.process.wait(timeout=120) == 0
        assert parse_events(accepted.result())[-1][0] == "done"


def takes_requests(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
