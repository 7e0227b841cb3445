"""The load generator against the real HTTP server, with a guard that does as it is told."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from bench.load.http_client import run_closed_loop, run_open_loop
from bench.load.workload import ANSWERED, build_chat, build_classification
from safety_core.policy.policy import Decision
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.metrics import count_in_flight
from tests.helpers.server.threads import run_threaded_server
from tests.helpers.waiting import wait_until


def test_streamed_and_whole_replies_are_told_apart() -> None:
    fake = FakeGuard(pieces=["a"] * 5)
    with run_threaded_server(fake) as url:
        streamed, whole, judged = run_closed_loop(
            url, [build_chat(ANSWERED), build_chat(ANSWERED, stream=False), build_classification()], clients=1
        )
    assert (streamed.status, streamed.tokens, streamed.refused) == (200, 5, False)
    assert streamed.first_s is not None
    assert 0 < streamed.first_s <= streamed.seconds
    assert (whole.status, whole.tokens, whole.first_s) == (200, 5, None)
    assert (judged.status, judged.tokens, judged.refused) == (200, 0, False)


def test_refusals_are_seen() -> None:
    with run_threaded_server(FakeGuard(decision=Decision.REFUSED)) as url:
        for answer in run_closed_loop(url, [build_chat(ANSWERED), build_classification()], clients=2):
            assert answer.refused


def test_no_two_requests_are_alike_to_the_guard() -> None:
    fake = FakeGuard()
    with run_threaded_server(fake) as url:
        run_closed_loop(url, [build_classification() for _ in range(20)], clients=4)
    assert len(fake.requests) == 20
    assert len({request.images[0].sha256 for request in fake.requests}) == 20


def test_an_open_loop_does_not_wait_for_answers() -> None:
    fake = FakeGuard()
    fake.gate.clear()
    with run_threaded_server(fake, max_requests=3) as url, ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_open_loop, url, lambda number: build_classification(), rate=100, seconds=0.5)
        wait_until(lambda: count_in_flight(url, "classify") == 3)
        wait_until(lambda: "overloaded" in httpx.get(f"{url}/metrics").text)
        fake.gate.set()
        answers = running.result(60)
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {200, 429}
    assert len(statuses) > 20
