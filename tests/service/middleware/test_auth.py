"""Default deny: with keys configured no path but health answers without one, and each key only where it may."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from safety_core.errors import ConfigError
from service.access.api_keys import Scope, format_key_entry
from service.app import create_app
from service.endpoints import OPEN_PATHS
from service.settings import Settings
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.files import replace_file
from tests.helpers.requests.prompts import send_prompt
from tests.helpers.server.applications import open_client
from tests.helpers.server.keys import CHAT_KEY, CLASSIFY_KEY, KEY_FILE, METRICS_KEY, build_bearer_header
from tests.helpers.server.metrics import read_metric
from tests.helpers.server.routes import walk_routes
from tests.helpers.server.threads import run_threaded_server
from tests.helpers.waiting import wait_until


@pytest.fixture
def client() -> Iterator[TestClient]:
    with open_client(FakeGuard(), api_keys=KEY_FILE) as client:
        yield client


def test_every_route_is_closed_but_health(client: TestClient) -> None:
    routes = list(walk_routes(client.app.routes))  # type: ignore[attr-defined]
    assert len(routes) > 12
    for path, method in [*routes, ("/nowhere", "GET"), ("/v1/chat/", "POST"), ("//healthz", "GET")]:
        status = client.request(method, path).status_code
        assert (status != 401) == (path in OPEN_PATHS), (path, method)


def test_a_route_of_another_protocol_is_closed_too() -> None:
    app = create_app(Settings(api_keys=KEY_FILE), FakeGuard())

    @app.websocket("/added")
    async def added(socket: WebSocket) -> None:
        await socket.accept()

    with (
        TestClient(app) as client,
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/added", headers=build_bearer_header(CHAT_KEY)),
    ):
        pass


@pytest.mark.parametrize(
    "headers",
    [
        {},
        build_bearer_header(""),
        build_bearer_header("wrong"),
        build_bearer_header(f"{CHAT_KEY} x"),
        {"Authorization": CHAT_KEY},
        {"Authorization": "Basic %%%"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
        {"x-api-key": "wrong"},
        {"Authorization": "Bearer wrong", "x-api-key": CHAT_KEY},
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
        build_bearer_header(CHAT_KEY),
        {"Authorization": f"bearer {CHAT_KEY}"},
        {"x-api-key": CHAT_KEY},
        {"Authorization": "Basic " + base64.b64encode(f"anybody:{CHAT_KEY}".encode()).decode()},
    ],
)
def test_a_key_opens_in_every_form_that_clients_send(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/v1/chat", json={"prompt": "a"}, headers=headers).status_code == 200


def test_a_key_is_good_for_its_scopes_only(client: TestClient) -> None:
    allowed = {
        (CHAT_KEY, "/v1/chat"): 200, (CHAT_KEY, "/v1/classify"): 403, (CHAT_KEY, "/metrics"): 403,
        (CLASSIFY_KEY, "/v1/chat"): 403, (CLASSIFY_KEY, "/v1/classify"): 200,
        (CLASSIFY_KEY, "/v1/chat/completions"): 403,
        (METRICS_KEY, "/v1/chat"): 403, (METRICS_KEY, "/metrics"): 200, (METRICS_KEY, "/v1/models"): 200,
    }  # fmt: skip
    for (secret, path), status in allowed.items():
        method = "POST" if path.startswith("/v1/c") else "GET"
        body = {"prompt": "a"} if method == "POST" else None
        response = client.request(method, path, headers=build_bearer_header(secret), json=body)
        assert response.status_code == status, (secret, path)


def test_a_key_that_asks_too_often_waits(client: TestClient) -> None:
    limited = KEY_FILE.replace("- name: chat\n", "- name: chat\n  requests_per_minute: 2\n")
    with open_client(FakeGuard(), api_keys=limited) as client:
        replies = [
            client.post("/v1/chat", json={"prompt": "a"}, headers=build_bearer_header(CHAT_KEY)) for _ in range(3)
        ]
        other = client.post("/v1/classify", json={"prompt": "a"}, headers=build_bearer_header(CLASSIFY_KEY))
        text = client.get("/metrics", headers=build_bearer_header(METRICS_KEY)).text
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[-1].json()["error"]["code"] == "rate_limited"
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 30
    assert other.status_code == 200
    assert read_metric(text, "safevlm_rejected_total", reason="rate_limited") == 1


def test_a_key_has_so_many_places_and_no_more() -> None:
    narrow = KEY_FILE.replace("- name: chat\n", "- name: chat\n  max_concurrent: 1\n")
    fake = FakeGuard()
    fake.gate.clear()
    with run_threaded_server(fake, api_keys=narrow) as url, ThreadPoolExecutor(1) as pool:
        first = pool.submit(
            httpx.post, f"{url}/v1/chat", json={"prompt": "a"}, headers=build_bearer_header(CHAT_KEY), timeout=60
        )

        def running() -> bool:
            text = httpx.get(f"{url}/metrics", headers=build_bearer_header(METRICS_KEY)).text
            return read_metric(text, "safevlm_in_flight", endpoint="chat") == 1

        wait_until(running)
        second = httpx.post(f"{url}/v1/chat", json={"prompt": "a"}, headers=build_bearer_header(CHAT_KEY))
        assert (second.status_code, second.json()["error"]["code"]) == (429, "key_busy")
        fake.gate.set()
        assert first.result().status_code == 200
        assert (
            httpx.post(f"{url}/v1/chat", json={"prompt": "a"}, headers=build_bearer_header(CHAT_KEY)).status_code == 200
        )


def test_keys_change_without_a_restart_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(format_key_entry("old", "old", [Scope.CHAT]))

    def statuses(client: TestClient) -> list[int]:
        return [
            client.post("/v1/chat", json={"prompt": "a"}, headers=build_bearer_header(secret)).status_code
            for secret in ("old", "new")
        ]

    with open_client(FakeGuard(), api_keys_file=file, reload_interval_s=0.02) as client:
        assert statuses(client) == [200, 401]
        replace_file(file, format_key_entry("new", "new", [Scope.CHAT]) + "\n# rotated\n")
        wait_until(lambda: statuses(client) == [401, 200])
        for broken in (b"keys: [", b"keys: 7", b"\xff\xfe"):
            replace_file(file, broken)
            wait_until(lambda: "newest version is invalid" in detail(client))
            assert statuses(client) == [401, 200]
            replace_file(file, format_key_entry("new", "new", [Scope.CHAT]))
            wait_until(lambda: detail(client) == "")


def detail(client: TestClient) -> str:
    """What readiness says of the keys."""
    said = client.get("/readyz").json().get("detail", {}).get("API keys", "")
    assert isinstance(said, str)
    return said


@pytest.mark.parametrize("content", ["keys: []", "[]", "", "# nobody\n", None])
@pytest.mark.parametrize("others", [None, format_key_entry("kept", "kept", [Scope.CHAT])])
def test_a_list_that_runs_empty_closes_the_door(tmp_path: Path, content: str | None, others: str | None) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(format_key_entry("old", "old", [Scope.CHAT]))

    def status(client: TestClient, **headers: str) -> int:
        return client.post("/v1/chat", json={"prompt": "a"}, headers=headers).status_code

    with open_client(FakeGuard(), api_keys_file=file, api_keys=others, reload_interval_s=0.02) as client:
        assert status(client, **build_bearer_header("old")) == 200
        if content is None:
            file.unlink()
        else:
            replace_file(file, content)
        wait_until(lambda: status(client, **build_bearer_header("old")) == 401)
        assert status(client) == 401
        assert client.get("/readyz").status_code == 200
        assert ("none of its entries is valid" in detail(client)) == (content is None)
        assert status(client, **build_bearer_header("kept")) == (200 if others else 401)
        assert others or detail(client)
        replace_file(file, format_key_entry("old", "old", [Scope.CHAT]))
        wait_until(lambda: status(client, **build_bearer_header("old")) == 200)
        assert detail(client) == ""


def test_a_server_without_its_file_of_keys_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"), open_client(FakeGuard(), api_keys_file=tmp_path / "none"):
        pass


def test_without_keys_nothing_is_asked_for() -> None:
    with open_client(FakeGuard()) as client:
        assert client.post("/v1/chat", json={"prompt": "a"}).status_code == 200


def test_the_log_names_the_key_and_never_holds_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"), open_client(FakeGuard(), api_keys=KEY_FILE) as client:
        client.post("/v1/chat", json={"prompt": "a"}, headers=build_bearer_header(CHAT_KEY))
    ours = [record for record in caplog.records if record.name.startswith("service")]
    assert [record.fields["key"] for record in ours if hasattr(record, "fields")] == ["chat"]
    assert all(CHAT_KEY not in str(vars(record)) for record in ours)


def test_a_compressed_body_is_refused_by_name() -> None:
    with open_client(FakeGuard()) as client:
        for coding in ("gzip", "deflate", "br", "identity, gzip", "GZIP"):
            response = client.post("/v1/chat", content=b"\x1f\x8b", headers={"content-encoding": coding})
            assert (response.status_code, response.json()["error"]["code"]) == (415, "content_encoding")
            assert "Content-Encoding" in response.json()["error"]["message"]
        assert send_prompt(client, {"content-encoding": "identity"})[0] == 200
