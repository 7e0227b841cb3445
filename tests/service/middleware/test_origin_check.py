"""Hosts, sites and client addresses: which of them are served, and which client a request counts for."""

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from service.telemetry.metrics import Metrics
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.requests.prompts import send_prompt
from tests.helpers.server.applications import open_client
from tests.helpers.server.keys import CHAT_KEY, KEY_FILE, build_bearer_header


def test_without_keys_only_names_of_this_machine_are_served() -> None:
    fake = FakeGuard()
    with open_client(fake) as client:
        for host in ("localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:1", "127.9.9.9", "[::1]:8000"):
            assert send_prompt(client, {"host": host}) == (200, ""), host
        told = len(fake.requests)
        for host in (
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "0.0.0.0:8000",
            "10.0.0.1",
            "guard",
        ):
            assert send_prompt(client, {"host": host}) == (421, "host_not_allowed"), host
            for path in ("/metrics", "/v1/models", "/openapi.json", "/playground", "/nowhere"):
                assert client.get(path, headers={"host": host}).status_code == 421
            assert client.get("/readyz", headers={"host": host}).status_code == 200, "a probe may call it anything"
        for host in ("", "a@localhost", "localhost,evil.example", "[fe80::1%25lo]"):
            assert send_prompt(client, {"host": host}) == (400, "bad_host"), host
        assert send_prompt(client, [("host", "localhost"), ("host", "localhost")]) == (400, "bad_host")
        sneaky = {"host": "evil.example", "x-forwarded-host": "localhost", "forwarded": "host=localhost"}
        assert send_prompt(client, sneaky) == (421, "host_not_allowed")
        assert len(fake.requests) == told


def test_an_operator_says_which_hosts_are_served() -> None:
    with open_client(FakeGuard(), allowed_hosts="Guard.example, *.lan") as client:
        for host, status in (("guard.example:1", 200), ("a.lan", 200), ("localhost", 200), ("evil.example", 421)):
            assert send_prompt(client, {"host": host})[0] == status
    with open_client(FakeGuard(), api_keys=KEY_FILE) as client:
        assert send_prompt(client, {"host": "any.example", **build_bearer_header(CHAT_KEY)})[0] == 200
    with open_client(FakeGuard(), api_keys=KEY_FILE, allowed_hosts="guard.example") as client:
        assert send_prompt(client, {"host": "any.example", **build_bearer_header(CHAT_KEY)})[0] == 421


def test_a_page_of_this_server_behind_a_proxy_is_of_the_same_origin() -> None:
    forwarded = {"origin": "http://guard.lan", "x-forwarded-host": "guard.lan", "x-forwarded-proto": "http"}
    tls = {"origin": "https://guard.lan", "host": "guard.lan:443"}
    with TestClient(
        create_app(Settings(allowed_hosts=("guard.lan",), trusted_proxies=("10.0.0.0/8",)), FakeGuard()),
    ) as client:
        transport = client._transport
        for peer, status in (("127.0.0.1", 200), ("10.1.2.3", 200), ("11.1.2.3", 403)):
            transport.client = (peer, 1)  # type: ignore[attr-defined]
            assert send_prompt(client, forwarded)[0] == status, peer
            assert send_prompt(client, tls)[0] == 200
            assert send_prompt(client, forwarded | {"origin": "https://guard.lan"})[0] == 403
            assert send_prompt(client, forwarded | {"origin": "http://evil.example"})[0] == 403
            assert send_prompt(client, {**forwarded, "x-forwarded-host": "evil.example, guard.lan"})[0] == status
            assert send_prompt(client, {**forwarded, "x-forwarded-host": "guard.lan, evil.example"})[0] == 403


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
        assert send_prompt(client, headers)[0] == 200
    assert seen == [name]
