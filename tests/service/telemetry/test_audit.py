"""The audit log of a server: every decision of every path, before its answer, and not a word of its content."""

import asyncio
import json
import signal
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from safety_core.audit_log.entries import AuditEntry, EntryKind
from safety_core.audit_log.queries import AuditQuery, read_entries
from safety_core.audit_log.store import AuditLog
from safety_core.policy.policy import Decision
from service.access.api_keys import Scope, format_key_entry
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_base64_png
from tests.helpers.server.applications import open_client
from tests.helpers.server.events import parse_events
from tests.helpers.server.keys import build_bearer_header
from tests.helpers.server.metrics import read_metric
from tests.helpers.server.processes import run_server
from tests.helpers.server.threads import run_threaded_server
from tests.helpers.waiting import wait_until

MESSAGES = [{"role": "user", "content": "SECRET"}]
REQUESTS: dict[str, dict[str, Any]] = {
    "/v1/chat": {"prompt": "SECRET", "images": [encode_base64_png()]},
    "/v1/classify": {"prompt": "SECRET", "images": [encode_base64_png()]},
    "/v1/chat/completions": {"model": "fake", "messages": MESSAGES},
    "/v1/moderations": {"input": ["SECRET one", "SECRET two"]},
    "/beta/litellm_basic_guardrail_api": {"texts": ["SECRET"]},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


def test_without_a_file_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_client(FakeGuard()) as client:
        assert client.post("/v1/chat", json={"prompt": "a"}).status_code == 200
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", REQUESTS)
def test_every_path_leaves_its_decision(url: str, path: Path) -> None:
    keys = format_key_entry("shop", "shop", list(Scope))
    with open_client(FakeGuard(decision=Decision.REFUSED), audit_log=path, api_keys=keys) as client:
        response = client.post(url, json=REQUESTS[url], headers=build_bearer_header("shop"))
    assert response.status_code == 200
    found = list(read_entries(path))
    assert [entry.item for entry in found] == ([0, 1] if url == "/v1/moderations" else [0])
    for entry in found:
        assert entry.request_id == response.headers["x-request-id"]
        assert (entry.key, entry.checkpoint, entry.policy) == ("shop", "fake", "default")
        assert (entry.decision, entry.type, entry.level, entry.images_scanned) == (
            "refused", "politics", 3, len(entry.images or ()),
        )  # fmt: skip
        assert entry.type_scores is not None
        assert sum(entry.type_scores.values()) == pytest.approx(1)
        assert entry.policy_version is not None
    assert b"SECRET" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


@pytest.mark.parametrize("stream", [True, False])
def test_replies_leave_how_they_ended(stream: bool, path: Path) -> None:
    with open_client(FakeGuard(), audit_log=path) as client:
        client.post("/v1/chat", json={"prompt": "a", "stream": stream})
        client.post("/v1/chat/completions", json={"model": "fake", "messages": MESSAGES, "n": 3, "stream": stream})
    chat, completion = (list(read_entries(path, AuditQuery(endpoint=name))) for name in ("chat", "completions"))
    assert [(entry.kind, entry.item) for entry in chat] == [("decision", 0), ("reply", 0)]
    assert (chat[1].finish_reason, chat[1].harmful, chat[1].completion_tokens) == ("stop", False, 3)
    assert completion[0].kind == "decision"
    assert sorted((entry.kind.value, entry.item) for entry in completion[1:]) == [
        ("reply", 0),
        ("reply", 1),
        ("reply", 2),
    ]


def test_requests_that_fail_leave_nothing(path: Path) -> None:
    with open_client(FakeGuard(), audit_log=path) as client:
        assert client.post("/v1/chat", json={"prompt": ""}).status_code == 400
        assert client.post("/v1/classify", json={"images": ["%"]}).status_code == 400
    assert list(read_entries(path)) == []


def test_a_refusal_without_a_verdict_says_why(path: Path) -> None:
    with open_client(FakeGuard(decision=None), audit_log=path) as client:
        assert client.post("/v1/chat", json={"prompt": "a"}).json()["decision"] == "refused"
    (entry,) = read_entries(path)
    assert (entry.decision, entry.reason, entry.type_scores) == ("refused", "no_verdict", None)


def test_what_a_policy_without_consequences_decided_is_kept(path: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("mode: shadow\n")
    with open_client(FakeGuard(decision=Decision.REFUSED), audit_log=path, policy=policy) as client:
        client.post("/v1/chat", json={"prompt": "a"})
    decision, reply = read_entries(path)
    assert (decision.decision, decision.others, reply.finish_reason) == ("allowed", {"default": "refused"}, "stop")


# --- before the answer -----------------------------------------------------------------------------------------------


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nothing is written until it is set."""
    free, append = threading.Event(), AuditLog.append

    def waiting(self: AuditLog, entries: Sequence[AuditEntry]) -> None:
        assert free.wait(30)
        append(self, entries)

    monkeypatch.setattr(AuditLog, "append", waiting)
    return free


def test_nothing_is_said_before_it_is_written(path: Path, stuck: threading.Event) -> None:
    fake = FakeGuard()
    with run_threaded_server(fake, audit_log=path) as url, httpx.Client(timeout=60) as client:
        begun: list[str] = []

        def ask() -> None:
            with client.stream("POST", f"{url}/v1/chat", json={"prompt": "a", "stream": True}) as response:
                begun.append("head")
                begun.extend(response.iter_text())

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: bool(fake.requests))
        asking.join(0.2)
        assert begun == []
        stuck.set()
        asking.join(30)
    assert parse_events("".join(begun[1:]))[0][0] == "assessment"


@pytest.mark.parametrize("url", REQUESTS)
def test_what_cannot_be_written_is_not_answered(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: AuditLog, *_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full SECRET")

    fake = FakeGuard()
    with open_client(fake, audit_log=path, reload_interval_s=0.02) as client:
        with monkeypatch.context() as broken:
            broken.setattr(AuditLog, "append", full)
            broken.setattr(AuditLog, "check", full)
            for stream in (False, True) if "chat" in url else (None,):
                response = client.post(url, json=REQUESTS[url] | ({} if stream is None else {"stream": stream}))
                assert response.status_code == 503
                assert response.json()["error"]["code"] == "unaudited"
                assert "SECRET" not in response.text
            judged = len(fake.requests)
            assert client.post(url, json=REQUESTS[url]).json()["error"]["code"] == "unaudited"
            assert len(fake.requests) == judged, "what could not be answered is not judged"
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["error"]["code"]) == (503, "unaudited")
            assert read_metric(client.get("/metrics").text, "safevlm_file_stale", file="audit log") == 1
            assert client.get("/healthz").status_code == 200
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.post(url, json=REQUESTS[url]).status_code == 200
        text = client.get("/metrics").text
        assert read_metric(text, "safevlm_rejected_total", reason="unaudited") >= 1
        assert read_metric(text, "safevlm_file_stale", file="audit log") == 0


def test_a_file_that_is_removed_is_begun_anew_and_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_client(FakeGuard(), audit_log=path, reload_interval_s=0.02) as client:
        client.post("/v1/classify", json={"prompt": "a"})
        path.unlink()
        asked = client.post("/v1/classify", json={"prompt": "b"})
        assert asked.status_code == 200
        assert [entry.request_id for entry in read_entries(path)] == [asked.headers["x-request-id"]]
        path.unlink()
        wait_until(path.exists)
        wait_until(lambda: caplog.text.count("a new one was started in its place") == 2)
        assert client.get("/readyz").status_code == 200


def test_a_server_is_not_ready_until_its_file_can_be_written_again(path: Path) -> None:
    with open_client(FakeGuard(), audit_log=path, reload_interval_s=0.02) as client:
        path.unlink()
        path.mkdir()
        wait_until(lambda: client.get("/readyz").status_code == 503)
        assert client.post("/v1/chat", json={"prompt": "a"}).json()["error"]["code"] == "unaudited"
        path.rmdir()
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/classify", json={"prompt": "a"}).status_code == 200
    assert len(list(read_entries(path))) == 1


def test_a_reply_whose_end_cannot_be_written_ends_in_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = AuditLog.append

    def full(self: AuditLog, entries: Sequence[AuditEntry]) -> None:
        if any(entry.kind is EntryKind.REPLY for entry in entries):
            raise sqlite3.OperationalError("disk is full")
        append(self, entries)

    monkeypatch.setattr(AuditLog, "append", full)
    with open_client(FakeGuard(), audit_log=path) as client:
        said = parse_events(client.post("/v1/chat", json={"prompt": "a", "stream": True}).text)
    assert said[-1][0] == "error"
    assert said[-1][1]["error"]["code"] == "unaudited"


def test_requests_that_wait_for_the_disk_share_a_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    append, free = AuditLog.append, threading.Event()

    def counting(self: AuditLog, entries: Sequence[AuditEntry]) -> None:
        sizes.append(len(entries))
        assert free.wait(30)
        append(self, entries)

    monkeypatch.setattr(AuditLog, "append", counting)
    fake = FakeGuard(decision=Decision.REFUSED)
    with run_threaded_server(fake, audit_log=path) as url:

        async def ask() -> None:
            async with httpx.AsyncClient(timeout=60) as client:
                asking = [
                    asyncio.create_task(client.post(f"{url}/v1/classify", json={"prompt": f"a{index}"}))
                    for index in range(12)
                ]
                while len(fake.requests) < 12:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)
                free.set()
                assert {(await one).status_code for one in asking} == {200}

        asyncio.run(ask())
    assert sum(sizes) == 12
    assert len(sizes) < 12
    assert len(list(read_entries(path))) == 12


def test_a_server_without_a_place_for_its_log_does_not_start(tmp_path: Path) -> None:
    with (
        pytest.raises(Exception, match=r"audit log: audit\.db cannot be written"),
        open_client(FakeGuard(), audit_log=tmp_path / "nowhere" / "audit.db"),
    ):
        pass


@pytest.mark.slow
def test_a_server_that_is_killed_has_written_all_that_it_answered(tiny_checkpoint: Path, path: Path) -> None:
    rng = Random(0)
    answered: set[str] = set()
    for _ in range(2):
        with run_server(tiny_checkpoint, audit_log=path) as server:
            before, more = len(answered), rng.randint(30, 90)

            def ask(number: int) -> None:
                with httpx.Client(timeout=60) as client:
                    try:
                        while True:
                            asked = {"prompt": f"{number} {len(answered)}", "max_tokens": 1, "stream": number % 2 == 0}
                            url = f"{server.url}/v1/{'chat' if number % 2 == 0 else 'classify'}"
                            fields = asked if number % 2 == 0 else {"prompt": asked["prompt"]}
                            with client.stream("POST", url, json=fields) as response:
                                first = next(response.iter_lines())
                                assert response.status_code == 200, first
                                answered.add(response.headers["x-request-id"])
                    except httpx.TransportError:
                        return

            clients = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
            for one in clients:
                one.start()
            while len(answered) < before + more and any(one.is_alive() for one in clients):
                time.sleep(0.005)
            server.process.send_signal(signal.SIGKILL)
            for one in clients:
                one.join(60)
    written = {entry.request_id for entry in read_entries(path, AuditQuery(kind="decision"))}
    assert answered <= written
    assert len(answered) >= 60


def test_a_decision_is_a_line_of_json_to_who_exports_it(path: Path) -> None:
    with open_client(FakeGuard(), audit_log=path) as client:
        client.post("/v1/classify", json={"prompt": "a"})
    (entry,) = read_entries(path)
    assert json.loads(json.dumps(entry.to_dict()))["decision"] == "allowed"
