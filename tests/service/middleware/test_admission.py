"""Overload, unforeseen errors, departures, logs: the outermost layer."""

import asyncio
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from safety_core.audit_log.queries import AuditQuery, read_entries
from service.access.api_keys import Scope, format_key_entry
from service.app import create_app
from service.settings import Settings
from service.telemetry.logs import FIELDS, JsonFormatter
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_png
from tests.helpers.server.applications import open_client
from tests.helpers.server.metrics import count_in_flight, count_queued
from tests.helpers.server.processes import find_free_port
from tests.helpers.server.raw_http import send_and_leave
from tests.helpers.server.threads import run_threaded_server
from tests.helpers.waiting import wait_until


def test_too_many_requests_are_turned_away_at_once() -> None:
    fake = FakeGuard()
    fake.gate.clear()
    with run_threaded_server(fake, max_requests=2) as url, ThreadPoolExecutor(2) as pool:
        accepted = [pool.submit(httpx.post, f"{url}/v1/chat", json={"prompt": "a"}, timeout=60) for _ in range(2)]
        wait_until(lambda: count_in_flight(url) == 2)
        refused = httpx.post(f"{url}/v1/classify", json={"prompt": "a"}, timeout=60)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200
        assert httpx.get(f"{url}/readyz", timeout=60).status_code == 200
        fake.gate.set()
        assert [future.result().status_code for future in accepted] == [200, 200]
        assert count_in_flight(url) == 0
        assert httpx.post(f"{url}/v1/classify", json={"prompt": "a"}).status_code == 200


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_stops_its_generation(stream: bool) -> None:
    fake = FakeGuard()
    fake.between.clear()
    with run_threaded_server(fake) as url:

        async def leave() -> None:
            async with httpx.AsyncClient() as client:
                asking = asyncio.create_task(
                    client.post(f"{url}/v1/chat", json={"prompt": "a", "stream": stream}, timeout=60)
                )
                await asyncio.to_thread(fake.began.wait, 30)
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)

        asyncio.run(leave())
        assert fake.stopped.wait(30)
        wait_until(lambda: count_in_flight(url) == 0)
        fake.between.set()
        assert httpx.post(f"{url}/v1/chat", json={"prompt": "a"}).status_code == 200


def test_a_client_that_leaves_the_queue_is_forgotten() -> None:
    fake = FakeGuard()
    fake.gate.clear()
    with run_threaded_server(fake) as url, ThreadPoolExecutor(1) as pool:
        first = pool.submit(httpx.post, f"{url}/v1/chat", json={"prompt": "a"}, timeout=60)
        wait_until(lambda: len(fake.requests) == 1)
        send_and_leave(url, "/v1/chat", {"json": {"prompt": "b"}}, once=lambda: count_queued(url) >= 1)
        wait_until(lambda: count_in_flight(url) == 1)
        fake.gate.set()
        assert first.result().status_code == 200
        assert len(fake.requests) == 1


def test_pieces_arrive_as_they_are_made() -> None:
    fake = FakeGuard()
    fake.between.clear()
    with (
        run_threaded_server(fake) as url,
        httpx.stream("POST", f"{url}/v1/chat", json={"prompt": "a", "stream": True}) as response,
    ):
        lines = response.iter_lines()
        assert next(lines) == "event: assessment"
        fake.between.set()
        assert "event: done" in list(lines)


def test_unforeseen_errors_say_nothing_and_log_no_message(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeGuard(failure=None)
    with open_client(fake) as client, caplog.at_level(logging.DEBUG):
        fake.failure = RuntimeError("SECRET")
        response = client.post("/v1/chat", json={"prompt": "SECRET question"})
        assert client.get("/healthz").status_code == 200
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal")
    assert "SECRET" not in response.text
    assert "SECRET" not in caplog.text
    assert "RuntimeError" in caplog.text


def test_logs_hold_no_content(caplog: pytest.LogCaptureFixture) -> None:
    with open_client(FakeGuard(pieces=("SECRET reply",))) as client, caplog.at_level(logging.DEBUG):
        client.post("/v1/chat?q=SECRET", json={"prompt": "SECRET"}, headers={"user-agent": "SECRET"})
        client.post("/v1/chat", data={"prompt": "SECRET"}, files=[("image", ("SECRET.png", encode_png()))])
        client.post("/v1/chat", json={"SECRET": 1})
        client.get("/SECRET")
    records = [record for record in caplog.records if record.name.startswith(("service", "safety_core"))]
    lines = [getattr(record, FIELDS) for record in records if hasattr(record, FIELDS)]
    assert [(line["endpoint"], line["status"], line.get("error")) for line in lines] == [
        ("chat", 200, None), ("chat", 200, None), ("chat", 422, "unknown_field"), ("other", 404, "not_found"),
    ]  # fmt: skip
    assert lines[1]["images"] == [sha256(encode_png()).hexdigest()]
    assert lines[0]["decision"] == "allowed"
    assert set(lines[0]["timings"]) == {"decode_ms", "queue_ms", "guard_ms", "generate_ms"}
    assert (lines[0]["risk_type"], lines[0]["risk_level"]) == ("safe", 0)
    written = [JsonFormatter().format(record) for record in records]
    assert "SECRET" not in "\n".join(written)
    assert {json.loads(line)["level"] for line in written} == {"info"}


def test_replies_logs_and_exemplars_share_the_name_of_the_request(caplog: pytest.LogCaptureFixture) -> None:
    with open_client(FakeGuard()) as client, caplog.at_level(logging.INFO):
        response = client.post("/v1/chat", json={"prompt": "a"})
        failed = client.post("/v1/chat", json={"prompt": ""})
        text = client.get("/metrics", headers={"accept": "application/openmetrics-text"}).text
        plain = client.get("/metrics").text
    name = response.json()["id"]
    assert response.headers["x-request-id"] == name
    lines = [getattr(record, FIELDS) for record in caplog.records if hasattr(record, FIELDS)]
    assert [line["request_id"] for line in lines] == [name, failed.headers["x-request-id"]]
    exemplars = [line for line in text.splitlines() if f'# {{request_id="{name}"}}' in line]
    for metric_name in ("requests_total", "stage_seconds_bucket", "time_to_first_token_seconds_bucket"):
        assert any(line.startswith(f"safevlm_{metric_name}") for line in exemplars)
    assert name not in plain


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_the_names_that_a_caller_gives_its_request_are_kept(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """In the reply, the log line and the audit log; two requests of one name stay two."""
    file = tmp_path / "audit.db"
    with open_client(FakeGuard(), audit_log=file) as client, caplog.at_level(logging.INFO):
        for _ in range(2):
            response = client.post(
                "/v1/chat", json={"prompt": "a"}, headers={"x-request-id": "trace:1_a.B-2", "traceparent": TRACE}
            )
            assert response.headers["x-request-id"] == "trace:1_a.B-2"
            assert response.headers["traceparent"] == TRACE
            assert response.json()["id"].startswith("guard-")
        refused = client.get("/nowhere", headers={"x-request-id": "another"})
        assert refused.headers["x-request-id"] == "another"
    lines = [getattr(record, FIELDS) for record in caplog.records if "request_id" in getattr(record, FIELDS, {})]
    assert [line["request_id"] for line in lines] == ["trace:1_a.B-2"] * 2 + ["another"]
    assert [line.get("traceparent") for line in lines] == [TRACE, TRACE, None]
    decisions = list(read_entries(file, AuditQuery(kind="decision")))
    assert len({entry.request_id for entry in decisions} & {line["id"] for line in lines}) == 2
    assert [(entry.caller_request_id, entry.traceparent) for entry in decisions] == [("trace:1_a.B-2", TRACE)] * 2


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a" * 129, "SECRET\u00e9", "SECRET%0a", '"SECRET"', "-SECRET", "SECRET,b", "{SECRET}", "SECRET/../b"],
)
def test_what_is_no_name_of_a_request_is_replaced(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with open_client(FakeGuard()) as client, caplog.at_level(logging.DEBUG):
        response = client.post("/v1/chat", json={"prompt": "a"}, headers=[(b"x-request-id", name.encode())])
        assert response.headers["x-request-id"] == response.json()["id"]
        twice = client.get("/healthz", headers=[("x-request-id", "a"), ("x-request-id", "b")])
        assert twice.headers["x-request-id"].startswith("guard-")
    assert "SECRET" not in str([vars(record) for record in caplog.records if record.name.startswith("service")])


@pytest.mark.parametrize(
    "trace",
    [
        "", "00", TRACE.upper(),
        TRACE + "-a", TRACE.replace("00-4", "ff-4"), TRACE.replace("01", "1"), " " + TRACE[:-1],
        f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    ],
)  # fmt: skip
def test_what_is_no_trace_is_not_kept(client: TestClient, trace: str) -> None:
    assert "traceparent" not in client.get("/healthz", headers={"traceparent": trace}).headers


def test_a_flood_of_refusals_fills_no_disk(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO),
        open_client(FakeGuard(), api_keys=format_key_entry("a", "a", [Scope.CHAT])) as client,
    ):
        for _ in range(400):
            assert client.post("/v1/chat", json={"prompt": "a"}).status_code == 401
        assert client.post("/v1/chat", json={"prompt": "a"}, headers={"x-api-key": "a"}).status_code == 200
    fields = [getattr(record, FIELDS) for record in caplog.records if hasattr(record, FIELDS)]
    refused = [line for line in fields if line.get("status") == 401]
    summed = sum(line["suppressed"]["invalid_api_key"] for line in fields if "suppressed" in line)
    assert 0 < len(refused) < 400
    assert len(refused) + summed == 400
    assert [line["status"] for line in fields if line.get("key") == "a"] == [200], "who has a key always has a line"


def test_who_still_waits_when_the_time_to_drain_is_over_is_told_so() -> None:
    fake = FakeGuard()
    fake.gate.clear()
    port = find_free_port()
    app = create_app(Settings(verdict_timeout_s=600, shutdown_timeout_s=0.1), fake)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="on", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.post, f"http://127.0.0.1:{port}/v1/classify", json={"prompt": "a"}, timeout=60)
        wait_until(lambda: len(fake.requests) == 1)
        server.should_exit = True
        answer = waiting.result()
    fake.gate.set()
    thread.join(60)
    assert not thread.is_alive()
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "stopping"
