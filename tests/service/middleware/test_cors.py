"""Pages of allowed origins can use the server from a browser; all others get the errors of any request."""

import pytest

from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.requests.prompts import send_prompt
from tests.helpers.server.applications import open_client
from tests.helpers.server.keys import CHAT_KEY, KEY_FILE, METRICS_KEY, build_bearer_header

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
            assert send_prompt(client, {"origin": origin, **build_bearer_header(CHAT_KEY)}) == (403, "cross_site")


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


def test_without_allowed_origins_no_page_of_another_site_is_answered() -> None:
    with open_client(FakeGuard(), api_keys=KEY_FILE) as client:
        response = client.options("/v1/chat", headers={"origin": ORIGIN, "access-control-request-method": "POST"})
    assert response.status_code == 403
    assert not any(name.startswith("access-control") for name in response.headers)
