"""Errors that cost work are delayed, for their client only; all others are sent at once."""

import asyncio
import gc
from collections.abc import Iterator
from types import SimpleNamespace

import httpx
import pytest
from starlette.testclient import TestClient

from safety_core.errors import OverloadedError
from service.api.litellm.schemas import GuardrailRequest
from service.ingress import error_budget as pacing
from service.ingress.error_budget import BURST, LARGE_BYTES, MAX_DELAY_S, RATE, ErrorBudget
from service.telemetry.request_record import RequestRecord
from tests.helpers.clocks import FakeClock
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_png
from tests.helpers.requests.judging_requests import CLASSIFY, COMPLETIONS, GUARDRAIL, MODERATIONS
from tests.helpers.server.applications import open_client
from tests.helpers.server.threads import run_threaded_server
from tests.helpers.waiting import wait_until


def test_work_is_free_until_a_client_has_used_its_burst() -> None:
    error_budget = ErrorBudget(FakeClock(100.0))
    assert [error_budget.charge("a", BURST // 4) for _ in range(4)] == [0.0] * 4
    assert error_budget.charge("a", 8) == pytest.approx(8 / RATE)
    assert error_budget.charge("b", 8) == 0.0, "another client does not wait"
    assert error_budget.charge("a", 0) == 0.0, "neither does what cost nothing"


def test_a_client_that_exceeds_its_rate_by_far_is_rejected_until_it_has_paid() -> None:
    clock = FakeClock(100.0)
    error_budget = ErrorBudget(clock)
    error_budget.charge("a", BURST + RATE)
    error_budget.require_budget("a")
    for _ in range(100):
        error_budget.charge("a", BURST)
    with pytest.raises(OverloadedError) as caught:
        error_budget.require_budget("a")
    error_budget.require_budget("b")
    assert caught.value.retry_after_s is not None
    clock.now += caught.value.retry_after_s + 0.01
    error_budget.require_budget("a")


def test_however_many_connections_a_client_has_its_rate_is_kept() -> None:
    clock = FakeClock(100.0)
    error_budget = ErrorBudget(clock)
    work = 0
    for _ in range(10_000):  # 100 seconds
        clock.now += 0.01
        for _ in range(10):
            try:
                error_budget.require_budget("a")
            except OverloadedError:
                continue
            error_budget.charge("a", 8)
            work += 8
    assert work <= BURST + RATE * 103


def test_only_so_many_clients_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_MAX_CLIENTS", 2)
    error_budget = ErrorBudget(FakeClock(100.0))
    for client in "abc":
        error_budget.charge(client, 2 * BURST)
    assert error_budget.charge("b", 1) > 0
    assert error_budget.charge("a", 1) == 0.0, "the one that was heard from least recently is forgotten"


@pytest.fixture
def client() -> Iterator[TestClient]:
    with open_client(FakeGuard()) as made:
        yield made


@pytest.fixture
def slept(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """Seconds of each pause, and bytes that all requests held meanwhile; time stands still, and nobody really waits."""
    found: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        found.append((seconds, client.app_state["service"].memory.used))

    monkeypatch.setattr(pacing, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(client.app_state["service"].error_budget, "_errors", pacing.WorkRateLimit(FakeClock(100.0)))
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
    assert client.post(CLASSIFY, files={"image": encode_png()}).status_code == 200
    assert client.post(CLASSIFY, json={"prompt": 3}).status_code == 422
    assert len(slept) == 1, "neither what is answered nor a cheap error is delayed"


@pytest.mark.parametrize("path", [CLASSIFY, COMPLETIONS, MODERATIONS, GUARDRAIL])
def test_large_bodies_that_end_in_errors_are_delayed_and_then_not_read_on_every_path(
    path: str, client: TestClient, slept: list[tuple[float, int]]
) -> None:
    body = b'{"prompt": "' + b"a" * 2**23
    headers = {"content-type": "application/json"}
    statuses = [client.post(path, content=body, headers=headers).status_code for _ in range(BURST // 8 + 8)]
    assert statuses[0] < 429
    assert statuses[-1] == 429
    assert slept
    assert max(seconds for seconds, _ in slept) <= MAX_DELAY_S
    assert all(held == 0 for _, held in slept)
    assert len(body) > LARGE_BYTES
    small = client.post(CLASSIFY, files={"image": encode_png()})
    assert small.status_code == 200, "small requests with one picture are served"


def test_what_the_guardrail_blocks_for_its_size_is_delayed_without_its_texts(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[int] = []

    async def delay_error(record: RequestRecord) -> None:
        async with asyncio.timeout(20):  # the thread that parsed it may be about to let go of it
            while any(isinstance(one, GuardrailRequest) and one.texts for one in gc.get_objects()):
                await asyncio.sleep(0.01)
        alive.append(0)

    monkeypatch.setattr(client.app_state["service"].error_budget, "delay_error", delay_error)
    answer = client.post(GUARDRAIL, json={"texts": ["many words " * 2**20]})
    assert answer.json()["action"] == "BLOCKED"
    assert alive == [0]


def test_damaged_pictures_are_released_before_their_client_is_told(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"\x89PNG\r\n\x1a\n" + b"not a picture" * 1000
    alive: list[int] = []

    async def delay_error(record: RequestRecord) -> None:
        held = [value for found in gc.get_objects() if isinstance(found, dict) for value in list(found.values())]
        alive.append(sum(isinstance(value, bytes) and value == body for value in held))

    monkeypatch.setattr(client.app_state["service"].error_budget, "delay_error", delay_error)
    assert client.post(CLASSIFY, files={"image": body}).status_code == 400
    assert alive == [0]


def test_a_client_that_leaves_has_caused_its_work_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    paced: list[int] = []
    fake = FakeGuard()
    fake.gate.clear()
    with run_threaded_server(fake) as url:

        async def delay_error(self: ErrorBudget, record: RequestRecord) -> None:
            paced.append(record.image_count)

        monkeypatch.setattr(ErrorBudget, "delay_error", delay_error)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}{CLASSIFY}", files={"image": encode_png()}, timeout=0.5)
        wait_until(lambda: paced == [1])
        fake.gate.set()
