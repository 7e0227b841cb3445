"""Places are shared: no client holds all of them."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from service.access.api_keys import Scope, format_key_entry
from tests.helpers.clients import metric
from tests.helpers.fakes import FakeGuard
from tests.service.middleware.test_admission import eventually, in_flight, listening

KEYS = "".join(format_key_entry(key, key, [Scope.CHAT, Scope.CLASSIFY, Scope.METRICS]) for key in ("many", "few"))


def ask(url: str, key: str, text: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{url}/v1/chat", json={"prompt": text}, headers=headers, timeout=120).status_code


def held(url: str) -> float:
    page = httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer few"}, timeout=60).text
    return metric(page, "safevlm_in_flight", endpoint="chat")


def test_a_client_holds_half_of_the_places_while_others_are_there() -> None:
    fake = FakeGuard()
    fake.gate.clear()
    with listening(fake, api_keys=KEYS, max_requests=4) as url, ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(ask, url, "few", "a")]
        eventually(lambda: held(url) == 1)
        for number in (2, 3):
            waiting.append(pool.submit(ask, url, "many", str(number)))
            eventually(lambda number=number: held(url) == number)  # type: ignore[misc]
        assert ask(url, "many", "b") == 429
        assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200
        waiting.append(pool.submit(ask, url, "few", "c"))
        eventually(lambda: held(url) == 4)
        fake.gate.set()
        assert [one.result() for one in waiting] == [200] * 4
        assert ask(url, "many", "b") == 200


def test_a_client_that_is_alone_leaves_a_place_for_others() -> None:
    fake = FakeGuard()
    fake.gate.clear()
    with listening(fake, max_requests=40) as url, ThreadPoolExecutor(39) as pool:
        waiting = [pool.submit(ask, url, "none", str(number)) for number in range(39)]
        eventually(lambda: in_flight(url) == 39)
        assert ask(url, "none", "one more") == 429
        fake.gate.set()
        assert [one.result() for one in waiting] == [200] * 39
