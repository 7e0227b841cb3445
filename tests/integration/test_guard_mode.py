"""``SAFEVLM_MODE=guard``: what is judged, and what is not answered."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from starlette.testclient import TestClient

from safety_core.engine.load import load_guard
from service.settings import Settings
from service.startup.guard_loading import load_configured_guard
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_png
from tests.helpers.requests.judging_requests import (
    ANSWERING,
    COMPLETIONS,
    PAGE_CHAT,
    PLAYGROUND,
    ROUTES,
    UNGUARDED,
    build_body,
    read_verdict,
    send_question,
)
from tests.helpers.server.applications import open_client


@pytest.fixture(scope="module")
def judging(tiny_checkpoint: Path) -> Iterator[TestClient]:
    """A server that loaded no more than it judges with."""
    guard = load_guard(tiny_checkpoint, device="cpu", judge_only=True)
    with open_client(guard, mode="guard") as client:
        yield client


@pytest.mark.parametrize("route", [*(route for route in ROUTES if route not in ANSWERING), PLAYGROUND])
def test_it_judges(judging: TestClient, route: str) -> None:
    answer = send_question(judging, route, "What is in the picture?", encode_png())
    assert answer.status_code == 200
    assert read_verdict(answer)["decision"]
    if route == PLAYGROUND:
        assert "why" in answer.json()


@pytest.mark.parametrize("route", ANSWERING)
@pytest.mark.parametrize("content", [b"", b"{", None])
def test_it_answers_no_chat_whatever_the_body(
    judging: TestClient, tiny_checkpoint: Path, route: str, content: bytes | None
) -> None:
    body = build_body(route, "Hello", model=tiny_checkpoint.name)
    answer = judging.post(route, json=body) if content is None else judging.post(route, content=content)
    assert answer.status_code == 501
    error = answer.json()["error"]
    assert error["code"] == "guard_only"
    assert "/v1/classify" in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert "Retry-After" not in answer.headers


def test_the_page_is_told_that_there_are_no_replies(judging: TestClient) -> None:
    about = judging.get("/playground/about").json()
    assert (about["can_chat"], about["compares"]) == (False, False)
    assert send_question(judging, PAGE_CHAT, "Hello").status_code == 501
    assert send_question(judging, UNGUARDED, "Hello").status_code == 404


def test_openais_client_does_not_retry(judging: TestClient) -> None:
    calls: list[str] = []
    judging.event_hooks = {"request": [lambda request: calls.append(request.url.path)], "response": []}
    try:
        client = openai.OpenAI(base_url="http://testserver/v1", api_key="none", http_client=judging)
        with pytest.raises(openai.InternalServerError, match="generates no replies"):
            client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "Hello"}])
    finally:
        judging.event_hooks = {"request": [], "response": []}
    assert calls == [COMPLETIONS]


def test_a_guard_without_a_generator_answers_501_in_every_mode(tiny_checkpoint: Path) -> None:
    with open_client(load_guard(tiny_checkpoint, device="cpu", judge_only=True)) as client:
        assert client.post("/v1/chat", json={"prompt": "Hello"}).status_code == 501


def test_the_mode_is_decided_before_the_guard_is_asked() -> None:
    guard = FakeGuard()
    with open_client(guard, mode="guard") as client:
        assert client.post("/v1/chat", json={"prompt": "Hello"}).status_code == 501
        assert client.post("/v1/classify", json={"prompt": "Hello"}).status_code == 200
    assert len(guard.requests) == 1


def test_the_settings_load_such_a_guard(tiny_checkpoint: Path) -> None:
    assert not load_configured_guard(Settings(checkpoint=tiny_checkpoint, mode="guard")).info.generates
    assert load_configured_guard(Settings(checkpoint=tiny_checkpoint)).info.generates


def test_the_document_says_so(judging: TestClient) -> None:
    paths = judging.get("/openapi.json").json()["paths"]
    for route in ANSWERING:
        assert "SAFEVLM_MODE" in paths[route]["post"]["responses"]["501"]["description"]
    assert "501" not in paths["/v1/classify"]["post"]["responses"]
