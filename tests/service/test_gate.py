"""Default deny: with keys configured no path but health answers without one, and each key only where it may."""

import base64
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from safety_core.errors import ConfigError
from service.app import create_app
from service.gate import OPEN
from service.keys import Scope, as_yaml
from service.settings import Settings
from tests.safety_core.engine.fakes import FakeGuard
from tests.service.clients import metric, served
from tests.service.test_traffic import eventually, listening

CHAT, CLASSIFY, METRICS = "chat-secret", "classify-secret", "metrics-secret"
KEYS = "".join(
    as_yaml(name, secret, [Scope(name)])
    for name, secret in (("chat", CHAT), ("classify", CLASSIFY), ("metrics", METRICS))
)


def walked(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Every path and method; newer versions of the framework keep an included router as one route."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from walked(included.routes)
        else:
            yield from ((route.path, method) for method in (getattr(route, "methods", None) or ["GET"]))


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def client() -> Iterator[TestClient]:
    with served(FakeGuard(), api_keys=KEYS) as client:
        yield client


def test_every_route_is_closed_but_health(client: TestClient) -> None:
    routes = list(walked(client.app.routes))  # type: ignore[attr-defined]
    assert len(routes) > 12
    for path, method in [*routes, ("/nowhere", "GET"), ("/v1/chat/", "POST"), ("//healthz", "GET")]:
        status = client.request(method, path).status_code
        assert (status != 401) == (path in OPEN), (path, method)


def test_a_route_of_another_protocol_is_closed_too() -> None:
    app = create_app(Settings(api_keys=KEYS), FakeGuard())

    @app.websocket("/added")
    async def added(socket: WebSocket) -> None:
        await socket.accept()

    with (
        TestClient(app) as client,
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/added", headers=bearer(CHAT)),
    ):
        pass


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(""),
        bearer("wrong"),
        bearer(f"{CHAT} x"),
        {"Authorization": CHAT},
        {"Authorization": "Basic %%%"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
        {"x-api-key": "wrong"},
        {"Authorization": "Bearer wrong", "x-api-key": CHAT},
    ],
)
def test_what_is_no_key_is_told_so_without_an_echo(client: TestClient, headers: dict[str, str]) -> None:
    response = client.post("/v1/chat", json={"prompt": "a"}, headers=headers)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "wrong" not in response.text


@pytest.mark.parametrize(
    "headers",
    [
        bearer(CHAT),
        {"Authorization": f"bearer {CHAT}"},
        {"x-api-key": CHAT},
        {"Authorization": "Basic " + base64.b64encode(f"anybody:{CHAT}".encode()).decode()},
    ],
)
def test_a_key_opens_in_every_form_that_clients_send(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/v1/chat", json={"prompt": "a"}, headers=headers).status_code == 200


def test_a_key_is_good_for_its_scopes_only(client: TestClient) -> None:
    asked = {"json": {"prompt": "a"}}
    allowed = {
        (CHAT, "/v1/chat"): 200, (CHAT, "/v1/classify"): 403, (CHAT, "/metrics"): 403,
        (CLASSIFY, "/v1/chat"): 403, (CLASSIFY, "/v1/classify"): 200, (CLASSIFY, "/v1/chat/completions"): 403,
        (METRICS, "/v1/chat"): 403, (METRICS, "/metrics"): 200, (METRICS, "/v1/models"): 200,
    }  # fmt: skip
    for (secret, path), status in allowed.items():
        method = "POST" if path.startswith("/v1/c") else "GET"
        response = client.request(method, path, headers=bearer(secret), **(asked if method == "POST" else {}))  # type: ignore[arg-type]
        assert response.status_code == status, (secret, path)


def test_a_key_that_asks_too_often_waits(client: TestClient) -> None:
    limited = KEYS.replace("- name: chat\n", "- name: chat\n  requests_per_minute: 2\n")
    with served(FakeGuard(), api_keys=limited) as client:
        replies = [client.post("/v1/chat", json={"prompt": "a"}, headers=bearer(CHAT)) for _ in range(3)]
        other = client.post("/v1/classify", json={"prompt": "a"}, headers=bearer(CLASSIFY))
        text = client.get("/metrics", headers=bearer(METRICS)).text
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[-1].json()["error"]["code"] == "rate_limited"
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 30
    assert other.status_code == 200
    assert metric(text, "safevlm_rejected_total", reason="rate_limited") == 1


def test_a_key_has_so_many_places_and_no_more() -> None:
    narrow = KEYS.replace("- name: chat\n", "- name: chat\n  max_concurrent: 1\n")
    fake = FakeGuard()
    fake.gate.clear()
    with listening(fake, api_keys=narrow) as url, ThreadPoolExecutor(1) as pool:
        first = pool.submit(httpx.post, f"{url}/v1/chat", json={"prompt": "a"}, headers=bearer(CHAT), timeout=60)

        def running() -> bool:
            text = httpx.get(f"{url}/metrics", headers=bearer(METRICS)).text
            return metric(text, "safevlm_in_flight", endpoint="chat") == 1

        eventually(running)
        second = httpx.post(f"{url}/v1/chat", json={"prompt": "a"}, headers=bearer(CHAT))
        assert (second.status_code, second.json()["error"]["code"]) == (429, "key_busy")
        fake.gate.set()
        assert first.result().status_code == 200
        assert httpx.post(f"{url}/v1/chat", json={"prompt": "a"}, headers=bearer(CHAT)).status_code == 200


def test_keys_change_without_a_restart_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(as_yaml("old", "old", [Scope.CHAT]))

    def statuses(client: TestClient) -> list[int]:
        return [
            client.post("/v1/chat", json={"prompt": "a"}, headers=bearer(secret)).status_code
            for secret in ("old", "new")
        ]

    with served(FakeGuard(), api_keys_file=file, reload_interval_s=0.02) as client:
        assert statuses(client) == [200, 401]
        file.write_text(as_yaml("new", "new", [Scope.CHAT]) + "\n# rotated\n")
        eventually(lambda: statuses(client) == [401, 200])
        for broken in (b"keys: [", b"keys: 7", b"\xff\xfe"):
            file.write_bytes(broken)
            eventually(lambda: "broken" in detail(client))
            assert statuses(client) == [401, 200]
            file.write_text(as_yaml("new", "new", [Scope.CHAT]))
            eventually(lambda: detail(client) == "")


def detail(client: TestClient) -> str:
    """What readiness says of the keys."""
    said = client.get("/readyz").json().get("detail", {}).get("API keys", "")
    assert isinstance(said, str)
    return said


@pytest.mark.parametrize("content", ["keys: []", "[]", "", "# nobody\n", None])
@pytest.mark.parametrize("others", [None, as_yaml("kept", "kept", [Scope.CHAT])])
def test_a_list_that_runs_empty_closes_the_door(tmp_path: Path, content: str | None, others: str | None) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(as_yaml("old", "old", [Scope.CHAT]))

    def status(client: TestClient, **headers: str) -> int:
        return client.post("/v1/chat", json={"prompt": "a"}, headers=headers).status_code

    with served(FakeGuard(), api_keys_file=file, api_keys=others, reload_interval_s=0.02) as client:
        assert status(client, **bearer("old")) == 200
        if content is None:
            file.unlink()
        else:
            file.write_text(content)
        eventually(lambda: status(client, **bearer("old")) == 401)
        assert status(client) == 401
        assert client.get("/readyz").status_code == 200
        assert ("nothing that stood in it is valid" in detail(client)) == (content is None)
        assert status(client, **bearer("kept")) == (200 if others else 401)
        assert others or detail(client)
        file.write_text(as_yaml("old", "old", [Scope.CHAT]))
        eventually(lambda: status(client, **bearer("old")) == 200)
        assert detail(client) == ""


def test_a_server_without_its_file_of_keys_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"), served(FakeGuard(), api_keys_file=tmp_path / "none"):
        pass


def test_without_keys_nothing_is_asked_for() -> None:
    with served(FakeGuard()) as client:
        assert client.post("/v1/chat", json={"prompt": "a"}).status_code == 200


def test_the_log_names_the_key_and_never_holds_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"), served(FakeGuard(), api_keys=KEYS) as client:
        client.post("/v1/chat", json={"prompt": "a"}, headers=bearer(CHAT))
    ours = [record for record in caplog.records if record.name.startswith("service")]
    assert [record.fields["key"] for record in ours if hasattr(record, "fields")] == ["chat"]
    assert all(CHAT not in str(vars(record)) for record in ours)
