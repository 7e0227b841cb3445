"""What people find who come with a browser: nothing of it from another host."""

import re
from dataclasses import replace

import pytest

from safety_core.engine.guard_info import GuardInfo
from safety_core.policy.policy import Decision
from service.access.api_keys import Scope, format_key_entry
from service.api.pages import documentation
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.applications import open_client
from tests.helpers.server.keys import build_bearer_header

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_browser_is_led_to_the_playground_and_a_program_is_told_what_is_here() -> None:
    with open_client(FakeGuard()) as client:
        redirect = client.get("/", headers=HTML, follow_redirects=False)
        assert (redirect.status_code, redirect.headers["location"]) == (307, "playground")
        told = client.get("/").json()
        assert (told["name"], told["model"]) == ("SafeVLM Guard", "fake")
        for path in told["paths"].values():
            assert client.get(f"/{path}").status_code == 200
    with open_client(FakeGuard(), playground=False) as client:
        told = client.get("/", headers=HTML).json()
        assert "playground" not in told["paths"]


def test_the_prefix_itself_leads_to_where_its_links_work() -> None:
    with open_client(FakeGuard(), root_path="/tools/guard") as client:
        for method in ("GET", "HEAD"):
            response = client.request(method, "/tools/guard?a=b", follow_redirects=False)
            assert (response.status_code, response.headers["location"]) == (307, "guard/")
        assert client.get("/tools/guard").json()["paths"]["api"] == "v1/models"
        assert client.get("/tools/guard", headers={"accept": "text/html"}).url.path == "/tools/guard/playground"
        assert client.post("/tools/guard", follow_redirects=False).status_code == 405
        assert client.get("/tools").status_code == client.get("/tools/guards").status_code == 404
    with open_client(FakeGuard(), root_path="/guard", api_keys=format_key_entry("any", "any", [Scope.CHAT])) as client:
        assert client.get("/guard", follow_redirects=False).status_code == 401


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_loads_from_this_server_only(path: str) -> None:
    with open_client(FakeGuard()) as client:
        page = client.get(path)
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "http" not in policy
        assert "script-src 'self';" in policy
        assert "<script>" not in page.text
        links = re.findall(r'(?:src|href|spec-url)="([^"]+)"', page.text)
        assert len(links) >= 4
        for link in links:
            if link != "data:,":
                assert not link.startswith(("/", "http")), "a link must work behind a root path"
                assert client.get(f"/{link}").status_code == 200
        assert client.get("/docs/none.js").status_code == 404


def test_the_documentation_wants_a_key_where_keys_are_configured() -> None:
    with open_client(FakeGuard(), api_keys=format_key_entry("shop", "shop", [Scope.CLASSIFY])) as client:
        for path in ("/", "/docs", "/redoc", "/docs/start.js", "/openapi.json"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers=build_bearer_header("shop")).status_code == 200


def test_files_come_with_their_media_types() -> None:
    assert documentation.read_asset("swagger-ui.css")[1] == "text/css"
    for name in ("swagger-ui-bundle.js", "redoc.standalone.js", "start.js"):
        data, media_type = documentation.read_asset(name)
        assert media_type == "text/javascript"
        assert data
    assert b"cdn.redoc.ly" not in documentation.read_asset("redoc.standalone.js")[0]


def test_what_is_served_says_what_it_is_fit_for_everywhere() -> None:
    class Described(FakeGuard):
        @property
        def info(self) -> GuardInfo:
            return replace(super().info, description="Knows circles only.")

    with open_client(Described(decision=Decision.ALLOWED)) as client:
        assert client.get("/v1/models").json()["data"][0]["description"] == "Knows circles only."
        assert client.get("/playground/about").json()["description"] == "Knows circles only."
        assert client.get("/").json()["description"] == "Knows circles only."
        assert "fake: Knows circles only." in client.get("/openapi.json").json()["info"]["description"]
