"""Errors that cost work are delayed, for their client only; all others are sent at once."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from service import pacing
from service.pacing import BURST, LONGEST_S, RATE, ErrorPacer
from tests.safety_core.engine.fakes import FakeGuard
from tests.service.clients import png, served
from tests.service.hardening.asking import CLASSIFY, COMPLETIONS, GUARDRAIL, MODERATIONS


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_errors_are_sent_at_once_until_a_client_has_used_its_burst() -> None:
    pacer = ErrorPacer(Clock())
    assert [pacer.delay_s("a", BURST // 4) for _ in range(4)] == [0.0] * 4
    assert pacer.delay_s("a", 8) == pytest.approx(8 / RATE)
    assert pacer.delay_s("b", 8) == 0.0, "another client does not wait"


def test_what_cost_nothing_is_never_delayed() -> None:
    pacer = ErrorPacer(Clock())
    pacer.delay_s("a", 10 * BURST)
    assert pacer.delay_s("a", 0) == 0.0


def test_delays_are_bounded_and_end() -> None:
    clock = Clock()
    pacer = ErrorPacer(clock)
    assert [pacer.delay_s("a", 1000 * BURST) for _ in range(3)] == [LONGEST_S] * 3
    clock.now += LONGEST_S + BURST / RATE
    assert pacer.delay_s("a", BURST) == 0.0


def test_only_so_many_clients_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_MAX_CLIENTS", 2)
    pacer = ErrorPacer(Clock())
    for client in "abc":
        pacer.delay_s(client, 2 * BURST)
    assert pacer.delay_s("b", 1) > 0
    assert pacer.delay_s("a", 1) == 0.0, "the one that was heard from least recently is forgotten"


@pytest.fixture
def client() -> Iterator[TestClient]:
    with served(FakeGuard()) as made:
        yield made


@pytest.fixture
def slept(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """Seconds of each pause, and bytes that all requests held meanwhile; nobody really waits."""
    found: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        found.append((seconds, client.app_state["service"].memory.used))

    monkeypatch.setattr(pacing, "asyncio", SimpleNamespace(sleep=sleep))
    return found


def wrong(client: TestClient, count: int) -> int:
    files = [("image", (f"{number}.png", b"\x89PNG\r\n\x1a\nnot one")) for number in range(count)]
    return client.post(CLASSIFY, files=files).status_code


def test_pictures_that_end_in_errors_again_and_again_are_delayed(
    client: TestClient, slept: list[tuple[float, int]]
) -> None:
    assert [wrong(client, 8) for _ in range(BURST // 8)] == [400] * (BURST // 8)
    assert slept == []
    assert wrong(client, 8) == 400
    (seconds, held), *others = slept
    assert 0 < seconds <= 8.1 / RATE
    assert held == 0, "a request that waits to be told of its error holds no memory"
    assert others == []
    assert client.post(CLASSIFY, files={"image": png()}).status_code == 200
    assert client.post(CLASSIFY, json={"prompt": 3}).status_code == 422
    assert len(slept) == 1, "neither what is answered nor a cheap error is delayed"


@pytest.mark.parametrize("path", [CLASSIFY, COMPLETIONS, MODERATIONS, GUARDRAIL])
def test_large_bodies_that_end_in_errors_are_delayed_on_every_path(
    path: str, client: TestClient, slept: list[tuple[float, int]]
) -> None:
    body = b'{"prompt": "' + b"a" * 2**23
    for _ in range(2 + BURST // 8):
        assert client.post(path, content=body, headers={"content-type": "application/json"}).status_code >= 400
    assert slept


def test_what_the_guardrail_blocks_for_its_size_is_delayed_too(
    client: TestClient, slept: list[tuple[float, int]]
) -> None:
    for _ in range(2 + BURST // 8):
        answer = client.post(GUARDRAIL, json={"texts": ["many words " * 2**20]})
        assert answer.json()["action"] == "BLOCKED"
    assert slept
