"""Places are shared: no client holds all of them."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from service.access.api_keys import Scope, format_key_entry
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.metrics import count_in_flight, read_metric
from tests.helpers.server.threads import run_threaded_server
from tests.helpers.waiting import wait_until

KEYS = "".join(format_key_entry(key, key, [Scope.CHAT, Scope.CLASSIFY, Scope.METRICS]) for key in ("many", "few"))


def ask(url: str, key: str, text: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{url}/v1/chat", json={"prompt": text}, headers=headers, timeout=120).status_code


def held(url: str) -> float:
    page = httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer few"}, timeout=60).text
    return read_metric(page, "safevlm_in_flight", endpoint="chat")


def test_a_client_holds_half_of_the_places_while_others_are_there() -> None:
    fake = FakeGuard()
    fake.gate.clear()
    with run_threaded_server(fake, api_keys=KEYS, max_requests=4) as url, ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(ask, url, "few", "a")]
        wait_until(lambda: held(url) == 1)
        for number in (2, 3):
            waiting.append(pool.submit(ask, url, "many", str(number)))
            wait_until(lambda number=number: held(url) == number)  # type: ignore[misc]
        assert ask(url, "many", "b") == 429
        assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200
        waiting.append(pool.submit(ask, url, "few", "c"))
        wait_until(lambda: held(url) == 4)
        fake.gate.set()
        assert [one.result() for one in waiting] == [200] * 4
        assert ask(url, "many", "b") == 200


def test_a_client_that_is_alone_leaves_a_place_for_others() -> None:
    fake = FakeGuard()
    fake.gate.clear()
    with run_threaded_server(fake, max_requests=40) as url, ThreadPoolExecutor(39) as pool:
        waiting = [pool.submit(ask, url, "none", str(number)) for number in range(39)]
        wait_until(lambda: count_in_flight(url) == 39)
        assert ask(url, "none", "one more") == 429
        fake.gate.set()
        assert [one.result() for one in waiting] == [200] * 39
