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
from service.telemetry.metrics import Metrics
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.files import replace_file
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


# --- hosts and origins -----------------------------------------------------------------------------------------------


def asked(
    client: TestClient, headers: dict[str, str] | list[tuple[str, str]], path: str = "/v1/chat"
) -> tuple[int, str]:
    response = client.post(path, json={"prompt": "a"}, headers=headers)
    return response.status_code, response.json().get("error", {}).get("code", "")


def test_without_keys_only_names_of_this_machine_are_served() -> None:
    fake = FakeGuard()
    with open_client(fake) as client:
        for host in ("localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:1", "127.9.9.9", "[::1]:8000"):
            assert asked(client, {"host": host}) == (200, ""), host
        told = len(fake.requests)
        for host in (
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "0.0.0.0:8000",
            "10.0.0.1",
            "guard",
        ):
            assert asked(client, {"host": host}) == (421, "host_not_allowed"), host
            for path in ("/metrics", "/v1/models", "/openapi.json", "/playground", "/nowhere"):
                assert client.get(path, headers={"host": host}).status_code == 421
            assert client.get("/readyz", headers={"host": host}).status_code == 200, "a probe may call it anything"
        for host in ("", "a@localhost", "localhost,evil.example", "[fe80::1%25lo]"):
            assert asked(client, {"host": host}) == (400, "bad_host"), host
        assert asked(client, [("host", "localhost"), ("host", "localhost")]) == (400, "bad_host")
        sneaky = {"host": "evil.example", "x-forwarded-host": "localhost", "forwarded": "host=localhost"}
        assert asked(client, sneaky) == (421, "host_not_allowed")
        assert len(fake.requests) == told


def test_an_operator_says_which_hosts_are_served() -> None:
    with open_client(FakeGuard(), allowed_hosts="Guard.example, *.lan") as client:
        for host, status in (("guard.example:1", 200), ("a.lan", 200), ("localhost", 200), ("evil.example", 421)):
            assert asked(client, {"host": host})[0] == status
    with open_client(FakeGuard(), api_keys=KEY_FILE) as client:
        assert asked(client, {"host": "any.example", **build_bearer_header(CHAT_KEY)})[0] == 200
    with open_client(FakeGuard(), api_keys=KEY_FILE, allowed_hosts="guard.example") as client:
        assert asked(client, {"host": "any.example", **build_bearer_header(CHAT_KEY)})[0] == 421


def test_a_page_of_this_server_behind_a_proxy_is_of_the_same_origin() -> None:
    forwarded = {"origin": "http://guard.lan", "x-forwarded-host": "guard.lan", "x-forwarded-proto": "http"}
    tls = {"origin": "https://guard.lan", "host": "guard.lan:443"}
    with TestClient(
        create_app(Settings(allowed_hosts=("guard.lan",), trusted_proxies=("10.0.0.0/8",)), FakeGuard()),
    ) as client:
        transport = client._transport
        for peer, status in (("127.0.0.1", 200), ("10.1.2.3", 200), ("11.1.2.3", 403)):
            transport.client = (peer, 1)  # type: ignore[attr-defined]
            assert asked(client, forwarded)[0] == status, peer
            assert asked(client, tls)[0] == 200
            assert asked(client, forwarded | {"origin": "https://guard.lan"})[0] == 403
            assert asked(client, forwarded | {"origin": "http://evil.example"})[0] == 403
            assert asked(client, {**forwarded, "x-forwarded-host": "evil.example, guard.lan"})[0] == status
            assert asked(client, {**forwarded, "x-forwarded-host": "guard.lan, evil.example"})[0] == 403


ORIGIN = "https://app.example.org"


def test_pages_of_allowed_origins_may_ask_and_read_errors_too() -> None:
    preflight = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-os",
    }
    with open_client(
        FakeGuard(), api_keys=KEY_FILE, allowed_origins=f"https://APP.example.org:443,{ORIGIN}:8443"
    ) as client:
        for path in ("/v1/chat", "/v1/chat/completions", "/v1/moderations", "/v1/models"):
            response = client.options(path, headers=preflight)
            assert response.status_code == 200
            assert response.headers["access-control-allow-origin"] == ORIGIN
            assert "POST" in response.headers["access-control-allow-methods"]
            assert "authorization" in response.headers["access-control-allow-headers"]
        for headers, status in (
            ({**build_bearer_header(CHAT_KEY), "sec-fetch-site": "cross-site"}, 200),
            (build_bearer_header(CHAT_KEY), 200),
            ({}, 401),
            (build_bearer_header(METRICS_KEY), 403),
        ):
            response = client.post("/v1/chat", json={"prompt": "a"}, headers={"origin": ORIGIN, **headers})
            assert response.status_code == status
            assert response.headers["access-control-allow-origin"] == ORIGIN
            assert "credentials" not in str(response.headers)
        for origin in ("https://evil.example", "http://app.example.org", f"{ORIGIN}.evil.example", "null"):
            response = client.options("/v1/chat", headers=preflight | {"origin": origin})
            assert (response.status_code, response.json()["error"]["code"]) == (403, "cross_site")
            assert response.headers["content-type"] == "application/json"
            assert "access-control-allow-origin" not in response.headers
            assert asked(client, {"origin": origin, **build_bearer_header(CHAT_KEY)}) == (403, "cross_site")


@pytest.mark.parametrize(
    "asked_for", [{"access-control-request-method": "DELETE"}, {"access-control-request-method": ""}]
)
def test_a_preflight_for_what_is_not_served_is_refused_as_all_else_is(asked_for: dict[str, str]) -> None:
    with open_client(FakeGuard(), allowed_origins=ORIGIN) as client:
        response = client.options("/v1/chat", headers={"origin": ORIGIN, **asked_for})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "cross_site")
    assert "Origin" in response.headers["vary"]


def test_such_pages_can_read_the_headers_that_say_something_about_a_reply() -> None:
    with open_client(FakeGuard(), allowed_origins=ORIGIN, max_tokens=5, default_max_tokens=5) as client:
        document = {"model": "fake", "messages": [{"role": "user", "content": "a"}], "max_tokens": 6}
        response = client.post("/v1/chat/completions", json=document, headers={"origin": ORIGIN})
    exposed = response.headers["access-control-expose-headers"].lower().split(", ")
    assert response.headers["x-safevlm-max-tokens"] == "5"
    assert {"x-safevlm-max-tokens", "x-request-id", "retry-after"} <= set(exposed)


def test_without_allowed_origins_no_page_of_another_site_is_answered(client: TestClient) -> None:
    response = client.options("/v1/chat", headers={"origin": ORIGIN, "access-control-request-method": "POST"})
    assert response.status_code == 403
    assert not any(name.startswith("access-control") for name in response.headers)


def test_a_compressed_body_is_refused_by_name() -> None:
    with open_client(FakeGuard()) as client:
        for coding in ("gzip", "deflate", "br", "identity, gzip", "GZIP"):
            response = client.post("/v1/chat", content=b"\x1f\x8b", headers={"content-encoding": coding})
            assert (response.status_code, response.json()["error"]["code"]) == (415, "content_encoding")
            assert "Content-Encoding" in response.json()["error"]["message"]
        assert asked(client, {"content-encoding": "identity"})[0] == 200


@pytest.mark.parametrize(
    ("settings", "headers", "peer", "name"),
    [
        ({}, {}, "1.2.3.4", "address:1.2.3.4"),
        ({}, {"x-forwarded-for": "5.6.7.8"}, "127.0.0.1", "address:127.0.0.1"),
        ({"trusted_proxies": "127.0.0.1"}, {"x-forwarded-for": "5.6.7.8"}, "127.0.0.1", "address:5.6.7.8"),
        ({}, {}, "2001:db8::1:2", "address:2001:db8::/64"),
        ({"api_keys": KEY_FILE}, build_bearer_header(CHAT_KEY), "1.2.3.4", "key:chat"),
    ],
)
def test_every_request_has_a_client_for_its_fair_share(
    settings: dict[str, str], headers: dict[str, str], peer: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(Metrics, "count_http_request", lambda self, record: seen.append(record.client))
    with TestClient(create_app(Settings.model_validate(settings), FakeGuard()), client=(peer, 1)) as client:
        assert asked(client, headers)[0] == 200
    assert seen == [name]
