"""Unguarded replies: who gets any, how they say what they are, and that they are bounded, counted and logged."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from safety_core.audit_log.queries import read_entries
from safety_core.errors import ConfigError, GenerationError
from safety_core.policy.policy import Decision
from service.access.api_keys import Scope, format_key_entry
from service.app import create_app
from service.settings import Settings
from service.telemetry.logs import FIELDS
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_png
from tests.helpers.requests.judging_requests import PAGE_CHAT, UNGUARDED, build_form, read_error, send_question
from tests.helpers.server.applications import open_client, open_local_client
from tests.helpers.server.events import parse_events
from tests.helpers.server.metrics import read_metric

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def fake() -> FakeGuard:
    """A guard that refuses everything, and whose bare model answers."""
    return FakeGuard(decision=Decision.REFUSED, bare_pieces=("How", " about", " no?"))


@pytest.fixture
def local(fake: FakeGuard) -> Iterator[TestClient]:
    with open_local_client(fake, playground_compare=True) as client:
        yield client


def send(client: TestClient, headers: dict[str, str], **fields: Any) -> Any:
    return client.post(UNGUARDED, files=build_form("hello", encode_png(), **fields), headers=headers)


# --- replies ---------------------------------------------------------------------------------------------------------


def test_the_bare_model_answers_what_the_guard_refuses(local: TestClient, fake: FakeGuard) -> None:
    assert send_question(local, PAGE_CHAT, "hello", encode_png()).json()["decision"] == "refused"
    response = send_question(local, UNGUARDED, "hello", encode_png(), stream=False)
    assert response.status_code == 200
    events = parse_events(response.text)
    assert [name for name, _ in events] == ["delta", "delta", "delta", "done"]
    assert [data["content"] for name, data in events if name == "delta"] == ["How", " about", " no?"]
    done = events[-1][1]
    assert (done["content"], done["finish_reason"]) == ("How about no?", "stop")
    assert done["usage"] == {"prompt_tokens": 7, "completion_tokens": 3}
    assert len(fake.requests) == 1, "it is not judged"


def test_header_and_events_say_that_it_is_not_guarded(local: TestClient, fake: FakeGuard) -> None:
    fake.late_failure = GenerationError("broken")
    response = send_question(local, UNGUARDED, "hello")
    assert response.headers["x-safevlm-unguarded"] == "true"
    events = parse_events(response.text)
    assert [name for name, _ in events] == ["delta", "error"]
    assert all(data["unguarded"] is True for _, data in events)
    assert events[-1][1]["error"]["code"] == "generation_failed"
    assert "x-safevlm-unguarded" not in send_question(local, PAGE_CHAT, "hello").headers


def test_an_error_before_the_first_word_is_an_http_error(local: TestClient, fake: FakeGuard) -> None:
    fake.failure = GenerationError("broken")
    assert read_error(send_question(local, UNGUARDED, "hello")) == (503, "generation_failed")


def test_it_has_the_options_of_a_chat(local: TestClient, fake: FakeGuard) -> None:
    earlier = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert send(local, SAME_ORIGIN, earlier=earlier, max_tokens=3, temperature=0.5, seed=7).status_code == 200
    (request,) = fake.unguarded
    assert (request.max_tokens, request.temperature, request.seed, request.policy) == (3, 0.5, 7, None)
    assert [turn.text for turn in request.turns] == ["a", "b", "hello"]
    assert len(request.images) == 1


# --- who gets them ---------------------------------------------------------------------------------------------------


def test_by_default_there_is_no_such_path(fake: FakeGuard) -> None:
    with open_local_client(fake) as client:
        assert read_error(send(client, SAME_ORIGIN)) == (404, "not_found")
    with open_client(fake, playground=False) as client:
        assert read_error(send(client, SAME_ORIGIN)) == (404, "not_found")
    assert fake.unguarded == []


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "testclient"])
def test_there_is_none_for_other_machines(fake: FakeGuard, address: str) -> None:
    with open_local_client(fake, address=address, playground_compare=True) as client:
        assert read_error(send(client, SAME_ORIGIN)) == (404, "not_found")
    assert fake.unguarded == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Server": "proxy"},
        {"Forwarded": "for=192.0.2.1"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "192.0.2.1"},
        {"CF-Connecting-IP": "192.0.2.1"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_there_is_none_behind_a_proxy(local: TestClient, fake: FakeGuard, headers: dict[str, str]) -> None:
    assert read_error(send(local, SAME_ORIGIN | headers)) == (404, "not_found")
    assert fake.unguarded == []


def test_there_is_none_under_another_name_of_this_machine(fake: FakeGuard) -> None:
    with open_local_client(fake, playground_compare=True, allowed_hosts="guard.example") as client:
        assert read_error(send(client, SAME_ORIGIN | {"Host": "guard.example"})) == (404, "not_found")
        assert send(client, SAME_ORIGIN | {"Host": "localhost:8000"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8000"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://guard.example"}, 404),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:9000"}, 404),
        ({}, 404),
        ({"Sec-Fetch-Site": "none"}, 404),
        ({"Origin": "https://127.0.0.1:8000"}, 404),
        ({"Origin": "https://app.example"}, 404),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example"}, 404),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_only_the_servers_own_page_gets_them(fake: FakeGuard, headers: dict[str, str], status: int) -> None:
    """Not a program, not a page that the operator allows to use the other endpoints, and not the server's own page
    through a proxy that hides itself.
    """
    with open_local_client(fake, playground_compare=True, allowed_origins="https://app.example") as client:
        assert send(client, headers).status_code == status
    assert len(fake.unguarded) == (status == 200)


def test_with_api_keys_it_needs_one_for_chats(fake: FakeGuard) -> None:
    keys = "".join(format_key_entry(scope.value, scope.value, [scope]) for scope in Scope)
    with open_local_client(fake, playground_compare=True, api_keys=keys) as client:
        statuses = {scope: send(client, SAME_ORIGIN | {"x-api-key": scope.value}).status_code for scope in Scope}
        assert statuses == {Scope.CHAT: 200, Scope.CLASSIFY: 403, Scope.METRICS: 403}
        assert send(client, SAME_ORIGIN).status_code == 401


def test_a_guard_without_the_bare_model_does_not_start() -> None:
    application = create_app(Settings(playground_compare=True), FakeGuard())
    with pytest.raises(ConfigError, match="SAFEVLM_PLAYGROUND_COMPARE"), TestClient(application):
        pass


# --- limits, records -------------------------------------------------------------------------------------------------


def test_the_length_of_a_reply_has_the_limit_of_a_chat(fake: FakeGuard) -> None:
    with open_local_client(fake, playground_compare=True, max_tokens=20) as client:
        assert read_error(send(client, SAME_ORIGIN, max_tokens=21)) == (400, "max_tokens_too_large")
        assert send(client, SAME_ORIGIN).status_code == 200
    assert fake.unguarded[0].max_tokens == 20


def test_it_is_counted_and_logged_as_unguarded(local: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert send(local, SAME_ORIGIN).status_code == 200
    metrics = local.get("/metrics").text
    assert read_metric(metrics, "safevlm_unguarded_replies_total", finish_reason="stop") == 1
    assert read_metric(metrics, "safevlm_http_requests_total", endpoint="unguarded", status="200") == 1
    assert read_metric(metrics, "safevlm_in_flight", endpoint="unguarded") == 0
    assert "safevlm_requests_total{" not in metrics, "no verdict is counted"
    (line,) = [getattr(record, FIELDS) for record in caplog.records if hasattr(record, FIELDS)]
    assert (line["endpoint"], line["unguarded"], line["finish_reason"]) == ("unguarded", True, "stop")
    assert len(line["images"]) == 1
    assert "decision" not in line
    assert "hello" not in caplog.text


def test_the_audit_log_says_so_before_anything_is_sent(fake: FakeGuard, tmp_path: Path) -> None:
    file = tmp_path / "audit.db"
    with open_local_client(fake, playground_compare=True, audit_log=file) as client:
        fake.failure = GenerationError("broken")
        send(client, SAME_ORIGIN)
        fake.failure = None
        assert send(client, SAME_ORIGIN).status_code == 200
    first, second = read_entries(file)
    for entry in (first, second):
        assert (entry.kind, entry.endpoint, entry.decision) == ("unguarded", "unguarded", None)
        assert entry.images is not None
    assert first.request_id != second.request_id
