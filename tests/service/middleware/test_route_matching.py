"""A request is looked up by the route that it reaches, however its path is spelled."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from safety_core.engine.messages import GuardRequest
from service.access.api_keys import Scope, format_key_entry
from service.app import create_app
from service.endpoints import ENDPOINTS, TABLE
from service.middleware.route_matching import list_routes
from service.settings import Settings
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.applications import open_client
from tests.helpers.server.keys import CHAT_KEY, CLASSIFY_KEY, KEY_FILE, METRICS_KEY, build_bearer_header
from tests.helpers.server.metrics import read_metric
from tests.helpers.server.raw_http import receive_until_closed
from tests.helpers.server.threads import run_bounded_server

PATHS = [endpoint.path for endpoint in ENDPOINTS if endpoint.reaches_model]


def _added(app: FastAPI) -> list[str]:
    """Routes of every kind that nobody has put into the table, and the paths that lead to them."""

    async def answer(request: Any) -> PlainTextResponse:
        return PlainTextResponse("reached")

    @app.get("/plain")
    async def plain() -> str:
        return "reached"

    router = APIRouter(prefix="/nested")
    router.add_api_route("/inner/{name}", plain)
    app.include_router(router)
    app.router.routes.append(Route("/starlette", answer))
    app.router.routes.append(Mount("/mounted", routes=[Route("/inner", answer), Route("/{name}/x", answer)]))
    app.mount("/application", PlainTextResponse("reached"))
    return ["/plain", "/nested/inner/a", "/starlette", "/mounted/inner", "/mounted/a/x", "/application/a"]


@pytest.mark.parametrize("keys", [None, KEY_FILE])
def test_a_route_without_a_row_is_not_served(keys: str | None) -> None:
    app = create_app(Settings(api_keys=keys), FakeGuard())
    paths = _added(app)
    assert {template for template, _ in list_routes(app.routes)} - set(TABLE) == {
        "/plain", "/nested/inner/{}", "/starlette", "/mounted/inner", "/mounted/{}/x", "/application/{}",
    }  # fmt: skip
    with TestClient(app) as client:
        for path in paths:
            for headers in (build_bearer_header(CHAT_KEY), build_bearer_header(METRICS_KEY)):
                response = client.get(path, headers=headers)
                assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found"), path


CONTROL = ("%0a", "%0A", "%0d", "%00", "%09", "%1f", "%7f", "%c2%85", "%c2%9f", "%e2%80%a8", "%e2%80%a9", "%85")


@pytest.mark.parametrize("root_path", ["", "/guard"])
def test_control_characters_in_a_path_are_refused_before_anything_else(root_path: str) -> None:
    with open_client(FakeGuard(), api_keys=KEY_FILE, root_path=root_path) as client:
        for control in CONTROL:
            for path in (
                f"/v1/chat{control}",
                f"/{control}v1/chat",
                f"/healthz{control}",
                f"{root_path}/v1{control}/chat",
            ):
                response = client.post(path, json={"prompt": "a"})
                assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_path"), path


SPELLINGS = (
    "/v1/chat%0a", "/v1/chat%0A", "/v1/chat\\", "/v1/chat/", "//v1/chat", "/v1//chat", "/v1%2fchat", "/v1%2Fchat",
    "/%76%31/%63%68%61%74", "/v1/chat;a=b", "/v1/chat;", "/V1/CHAT", "/v1/./chat", "/v1/../v1/chat", "/v1/%2e/chat",
    "/metrics/../v1/chat", "/metrics/%2e%2e/v1/chat", "/v1/chat%20", "/v1/chat%00", "/v1/chat%e2%80%a8", "/v1/chat?",
    "/v1/chat?/metrics", "/v1/chat%3f", "/v1/chat#", "/v1/chat%23", "/v1/chat%250a", "/guard/v1/chat",
    "/healthz/../v1/chat",
    "http://localhost/v1/chat", "HTTP://LOCALHOST/v1/chat", "http://localhost/v1/chat%0a", "http://localhost?/v1/chat",
)  # fmt: skip


@pytest.fixture
def keyed() -> Iterator[tuple[FakeGuard, int]]:
    fake = FakeGuard()
    with run_bounded_server(fake, api_keys=KEY_FILE, root_path="/guard") as port:
        yield fake, port


def _ask(port: int, method: str, target: str, secret: str) -> bytes:
    body = b'{"prompt": "a"}'
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        return receive_until_closed(connection)


def _is_root(target: str) -> bool:
    return target.startswith("http://localhost?")


def test_no_spelling_of_a_path_gets_a_key_where_it_may_not_go(keyed: tuple[FakeGuard, int]) -> None:
    fake, port = keyed
    for secret in (METRICS_KEY, CLASSIFY_KEY):
        for target in SPELLINGS:
            for method in ("POST", "post", "GET", "HEAD", "OPTIONS", "PUT", "ANY"):
                status = int(_ask(port, method, target, secret).split(b" ")[1])
                if _is_root(target) and method in ("GET", "HEAD"):  # whoever has a key may read what is here
                    continue
                assert 400 <= status <= 501, (target, method)
    assert fake.requests == []


def test_all_that_reaches_the_model_is_counted(keyed: tuple[FakeGuard, int]) -> None:
    fake, port = keyed
    answered = [target for target in SPELLINGS if _ask(port, "POST", target, CHAT_KEY).startswith(b"HTTP/1.1 200")]
    assert {"/v1/chat?", "/%76%31/%63%68%61%74", "/guard/v1/chat", "http://localhost/v1/chat"} <= set(answered)
    text = _ask(port, "GET", "/metrics", METRICS_KEY).decode()
    assert read_metric(text, "safevlm_http_requests_total", endpoint="chat", status="200") == len(answered)
    assert read_metric(text, "safevlm_requests_total", endpoint="chat", decision="allowed") == len(answered)
    assert all(isinstance(request, GuardRequest) for request in fake.requests)


@pytest.mark.parametrize("path", PATHS)
def test_a_scope_is_asked_for_behind_a_prefix_too(path: str) -> None:
    with open_client(FakeGuard(), api_keys=KEY_FILE, root_path="/guard") as client:
        for spelled in (path, f"/guard{path}"):
            response = client.post(spelled, json={}, headers=build_bearer_header(METRICS_KEY))
            assert (response.status_code, response.json()["error"]["code"]) == (403, "missing_scope")


def test_what_no_route_matches_needs_a_key_to_be_told_so() -> None:
    with open_client(FakeGuard(), api_keys=format_key_entry("any", "any", [Scope.METRICS])) as client:
        assert client.get("/nowhere").status_code == 401
        assert client.get("/nowhere", headers=build_bearer_header("any")).status_code == 404
