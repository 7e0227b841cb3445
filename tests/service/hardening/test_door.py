"""What the door itself decides, on every route: how much is read, who may come in, what is remembered, what is told."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from safety_core.engine.generation.output_rail import ReplyDecision
from safety_core.engine.guard import Guard
from safety_core.errors import GenerationError
from safety_core.policy.documents import overlay_policy
from safety_core.policy.policy import Action, Decision, Policy
from service.access.api_keys import Scope, format_key_entry
from service.endpoints import OPEN_PATHS
from service.ingress.image_fetcher import ImageFetcher
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.engine.policies import create_forced_policy
from tests.helpers.images.encoding import encode_png
from tests.helpers.requests.judging_requests import (
    ANSWERING,
    CHAT,
    CLASSIFY,
    COMPLETIONS,
    GUARDRAIL,
    JUDGING,
    LOOK,
    MAKE,
    MODEL,
    MODERATIONS,
    OBEY,
    OWN,
    PAGE,
    REQUEST,
    ROUTES,
    SCENE,
    STEAL,
    UNGUARDED,
    WEAPON,
    WHAT,
    build_body,
    build_options,
    is_refused,
    read_error,
    read_verdict,
    send_question,
    translate_error,
)
from tests.helpers.server.applications import open_client
from tests.helpers.server.keys import build_bearer_header
from tests.helpers.server.metrics import read_metric
from tests.helpers.server.routes import walk_routes

# --- how much is read ------------------------------------------------------------------------------------------------

CHUNK = 50_000
EDGE = "edge"


def fed(client: TestClient, route: str, kind: str, start: bytes) -> tuple[int, str, int]:
    """Status and code where a body never ends, and how many of its chunks were taken."""
    taken, sent = 0, list[Any]()

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        assert taken < 1000, "it is read without end"
        return {"type": "http.request", "body": start if taken == 1 else b"a" * CHUNK, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": route, "raw_path": route.encode(), "root_path": "", "query_string": b"", "client": None, "server": None,
        "headers": [(b"content-type", kind.encode())], "state": dict(client.app_state),
    }  # fmt: skip
    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body)["error"]["code"], taken


def test_body_size(fake: FakeGuard) -> None:
    """Bodies without a length are counted while they come."""
    part = f'--{EDGE}\r\nContent-Disposition: form-data; name="{{}}"\r\n\r\n'
    file = part.replace("\r\n\r\n", '; filename="a"\r\n\r\n')
    form = f"multipart/form-data; boundary={EDGE}"
    with open_client(fake, max_body_bytes=20 * CHUNK, max_image_bytes=5 * CHUNK) as client:
        for route in ROUTES:
            status, code, taken = fed(client, route, "application/json", b'{"prompt": "')
            assert (status, code, taken <= 22) == (*translate_error(route, 413, "body_too_large"), True)
            large = client.post(route, content=b"{}" + b" " * 20 * CHUNK, headers={"content-type": "application/json"})
            assert read_error(large) == translate_error(route, 413, "body_too_large")
        for route in OWN:
            status, code, taken = fed(client, route, form, part.format("prompt").encode())
            assert (status, code, taken <= 22) == (413, "body_too_large", True)
            status, code, taken = fed(client, route, form, file.format("image").encode())
            assert (status, code, taken <= 7) == (413, "image_too_large", True)
        for route in ROUTES:
            assert read_error(send_question(client, route, LOOK, bytes(6 * CHUNK))) == translate_error(
                route, 413, "image_too_large"
            )
    assert fake.requests == []


# --- what is remembered ----------------------------------------------------------------------------------------------


def remembered(client: TestClient) -> float:
    return read_metric(client.get("/metrics").text, "safevlm_verdict_cache_total", outcome="hit")


CLIENTS_OWN: dict[str, list[dict[str, Any]]] = {
    COMPLETIONS: [{"user": "b"}, {"metadata": {"id": "1"}}, {"seed": 4}, {"temperature": 0.5}, {"stop": "x"}, {"n": 1}],
    CHAT: [{"seed": 4}, {"temperature": 0.5}, {"max_tokens": 4}],
    GUARDRAIL: [{"litellm_call_id": "b"}, {"litellm_trace_id": "b"}, {"request_data": {"user": "b"}}],
}


@pytest.mark.parametrize("route", ROUTES)
def test_cache(guard: Guard, route: str, tmp_path: Path) -> None:
    """Entries are named by what was judged and by whom, and by nothing that a client calls it."""
    names = {"x-request-id": "mine", "idempotency-key": "mine"}
    policy = tmp_path / "policy.yaml"
    policy.write_text("policies: {other: {actions: {illegal: {1: refuse}}}}\nselectable: [other]\n")
    with open_client(guard, default_max_tokens=2, policy=policy) as client:
        asked = build_body(route, WHAT, WEAPON)
        assert client.post(route, json=asked, headers=names).status_code == 200
        assert remembered(client) == 0
        for number, changes in enumerate([{}, *CLIENTS_OWN.get(route, [])], start=1):
            again = client.post(route, json=asked | changes, headers={"x-request-id": str(number)})
            assert not is_refused(again)
            assert remembered(client) == number
        before = remembered(client)
        for text, picture in ((MAKE, WEAPON), (WHAT, SCENE), (WHAT, WEAPON + b"\0")):
            other = client.post(route, json=build_body(route, text, picture), headers=names)
            assert is_refused(other) == (text == MAKE)
            assert remembered(client) == before
        named = {"policy": "other"}
        asked |= {"additional_provider_specific_params": named} if route == GUARDRAIL else named
        assert is_refused(client.post(route, json=asked, headers=names))
        assert remembered(client) == before


def test_cache_a_chat_is_not_answered_from_a_classification(guard: Guard) -> None:
    with open_client(guard, default_max_tokens=2) as client:
        assert not is_refused(send_question(client, CLASSIFY, LOOK, SCENE))
        assert send_question(client, CHAT, LOOK, SCENE).json()["content"]
        assert remembered(client) == 0


# --- pictures that are elsewhere -------------------------------------------------------------------------------------


def by_url(route: str, url: str, text: str = LOOK, *, model: str = MODEL) -> dict[str, Any]:
    """The question about a picture somewhere on the network."""
    return dict(
        json.loads(json.dumps(build_body(route, text, b"x", model=model)).replace("data:image/png;base64,eA==", url))
    )


def test_image_urls_are_off(nano: TestClient) -> None:
    for route in ROUTES:
        for url in ("https://pictures.example/a.png", "http://127.0.0.1/a.png", "HTTPS://10.0.0.1/"):
            assert read_error(nano.post(route, json=by_url(route, url))) == translate_error(route, 400, "image_url")
        assert read_error(nano.post(route, json=by_url(route, "file:///etc/passwd"))) == translate_error(
            route, 400, "image_url"
        )


def test_image_urls_lead_nowhere_inside(fake: FakeGuard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0)
        port = inside.getsockname()[1]
        with open_client(fake, image_url_hosts=f"localhost:{port},*.pictures.example") as client:
            for url in (
                f"https://localhost:{port}/a.png",  # on the list, but of this machine
                f"http://localhost:{port}/a.png",
                f"https://127.0.0.1:{port}/a.png",
                "https://169.254.169.254/latest/meta-data",
                "https://pictures.example.evil.example/a.png",
                "https://a@b.pictures.example/a.png",
            ):
                for route in ROUTES:
                    assert read_error(client.post(route, json=by_url(route, url, model="fake"))) == translate_error(
                        route, 400, "image_url"
                    )
        with pytest.raises(BlockingIOError):
            inside.accept()
    assert fake.requests == []


def test_image_urls_bring_pictures_through_the_same_door(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetch(self: ImageFetcher, url: str) -> bytes:
        return {"weapon": WEAPON, "page": b"<html>"}[url.rsplit("/", 1)[1]]

    monkeypatch.setattr(ImageFetcher, "fetch", fetch)
    with open_client(guard, image_url_hosts="pictures.example") as client:
        for route in ROUTES:
            assert is_refused(client.post(route, json=by_url(route, "https://pictures.example/weapon", MAKE)))
            page = client.post(route, json=by_url(route, "https://pictures.example/page"))
            assert read_error(page) == translate_error(route, 415, "image_format")


# --- who may come in -------------------------------------------------------------------------------------------------


def test_auth() -> None:
    """Closed by default, whatever the path; a key is good for its scopes and stands nowhere."""
    fake, secrets = FakeGuard(), {scope: f"{scope}-secret" for scope in Scope}
    keys = "".join(format_key_entry(scope.value, secret, [scope]) for scope, secret in secrets.items())
    assert not any(secret in keys for secret in secrets.values())
    good = {route: Scope.CHAT if route in (*ANSWERING, *PAGE) else Scope.CLASSIFY for route in JUDGING} | {
        "/metrics": Scope.METRICS
    }
    del good[UNGUARDED]  # served to this machine only, which this client is not on
    with open_client(fake, api_keys=keys) as client:
        every = [*walk_routes(client.app.routes), ("/nowhere", "GET"), ("//healthz", "GET"), ("/metrics/", "GET")]  # type: ignore[attr-defined]
        assert set(good) < {path for path, _ in every}
        for path, method in every:
            for headers in (
                {},
                build_bearer_header("wrong"),
                build_bearer_header(secrets[Scope.CHAT][:-1]),
                {"x-api-key": ""},
            ):
                response = client.request(method, path, headers=headers)
                assert (response.status_code == 401) == (path not in OPEN_PATHS), (path, method)
        assert fake.requests == []
        for path, needed in good.items():
            for scope, secret in secrets.items():
                key = build_bearer_header(secret)
                if path in JUDGING:
                    response = client.post(path, **build_options(path, "a", model="fake", headers=key))
                else:
                    response = client.get(path, headers=key)
                assert response.status_code == (200 if scope is needed else 403), (path, scope)
        assert not any(secret in repr(client.app_state["service"].keys.content) for secret in secrets.values())


# --- what is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES)
def test_privacy(route: str, caplog: pytest.LogCaptureFixture) -> None:
    """The core of it: served or not, what was asked stands in no log line, metric or error. The rest: test_privacy."""
    fake = FakeGuard(pieces=("SECRET ", "reply"))
    with open_client(fake) as client, caplog.at_level("DEBUG"):
        assert (
            send_question(
                client, route, "SECRET", encode_png(), **({"stream": True} if route in ANSWERING else {})
            ).status_code
            == 200
        )
        failed = [
            client.post(f"{route}?SECRET=SECRET", json={"SECRET": "SECRET", "texts": "SECRET", "model": ["SECRET"]}),
            send_question(client, route, "SECRET", b"SECRET"),
            client.post(route, content=b"SECRET", headers={"content-type": "SECRET/SECRET"}),
        ]
        fake.failure = RuntimeError("SECRET")
        failed.append(send_question(client, route, "SECRET again"))
        metrics = [
            client.get("/metrics", headers={"accept": kind}).text for kind in ("", "application/openmetrics-text")
        ]
    wrong = translate_error(route, 415, "image_format")[0]
    assert [response.status_code for response in failed] == [422, wrong, wrong, 500]
    for response in failed:
        assert "SECRET" not in response.text + str(response.headers)
    ours = [str(vars(record)) for record in caplog.records if record.name.startswith(("service", "safety_core"))]
    assert len(ours) > len(failed)
    assert not any("SECRET" in text for text in (*metrics, *ours))


GIVEAWAYS = re.compile(
    r"safe ?vlm|guard|nano|llava|polic(y|ies)|filter|moderat|classif|detect|score|threshold|risk|unsafe|stage|rail|head"
    r"|tower|image|picture|text|prompt",
    re.IGNORECASE,
)
"""What would tell which product refused, or what in it, or by what it went."""


def refusals(response: Any) -> list[str]:
    body = response.json()
    return [
        text
        for text in (
            body.get("refusal"),
            body.get("blocked_reason"),
            *(choice["message"]["refusal"] for choice in body.get("choices", ())),
        )
        if text
    ]


def test_fingerprinting_refusals_name_nothing(nano: TestClient, guard: Guard) -> None:
    texts = {*guard.policy.refusals.values(), guard.policy.fallback_refusal}
    texts |= {*Policy.create_default(guard.model.taxonomy).refusals.values()}
    for asked in ((STEAL,), (MAKE, WEAPON), (OBEY, REQUEST)):
        for route in (*ANSWERING, GUARDRAIL):
            said = refusals(send_question(nano, route, *asked))
            assert said
            texts.update(said)
    with open_client(FakeGuard(decision=None)) as client:  # no verdict at all
        for route in ANSWERING:
            said = refusals(send_question(client, route, LOOK))
            assert said
            texts.update(said)
    assert [text for text in texts if GIVEAWAYS.search(text)] == []


HIDDEN = ("risk", "level", "scores", "surfaces", "heatmap", "timings", "_ms", "unsafe")


@pytest.fixture(scope="module")
def discreet(guard: Guard) -> Iterator[TestClient]:
    """The shipped guard behind a server that tells decisions only."""
    with open_client(guard, expose_risk=False, default_max_tokens=8, cache_mb=0) as client:
        yield client


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "asked", [(LOOK, SCENE), (WHAT, WEAPON), (MAKE, WEAPON)], ids=["allowed", "cautioned", "refused"]
)
def test_fingerprinting_without_risk(
    discreet: TestClient, nano: TestClient, route: str, asked: tuple[str, bytes]
) -> None:
    """Nothing but the decision: no score, no time, in no field, event, chunk or header."""
    options: list[dict[str, Any]] = [{}]
    if route in ANSWERING:
        options += [{"stream": True}]
    if route in OWN:
        options += [{"explain": True}]
    for fields in options:
        response = send_question(discreet, route, *asked, **fields)
        assert response.status_code == 200
        said = response.text.replace("category_scores", "")
        assert not any(name in said for name in HIDDEN), said
        assert set(re.findall(r"\d+\.\d+", said)) <= {"0.0", "1.0"}, "no score, and no time"
        assert set(response.headers) <= {
            "content-type",
            "content-length",
            "x-request-id",
            "cache-control",
            "x-accel-buffering",
        }
    plain = send_question(discreet, route, *asked)
    assert read_verdict(plain)["decision"] == read_verdict(send_question(nano, route, *asked))["decision"]
    if route == MODERATIONS:
        (result,) = plain.json()["results"]
        assert result["category_scores"] == {name: float(on) for name, on in result["categories"].items()}


def test_fingerprinting_without_risk_where_a_reply_is_cut(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a reply that the rail cut nor one that failed says more."""
    monkeypatch.setattr(guard, "policy", create_forced_policy(Decision.ALLOWED))
    monkeypatch.setattr(guard, "decide_replies", lambda replies, policies: [ReplyDecision.CUT] * len(replies))
    with open_client(guard, expose_risk=False) as client:
        for route in ANSWERING:
            for stream in (False, True):
                cut = send_question(client, route, MAKE, WEAPON, stream=stream)
                assert "content_filter" in cut.text
                assert not any(name in cut.text for name in HIDDEN)
    with open_client(FakeGuard(late_failure=GenerationError("why")), expose_risk=False) as client:
        for route in ANSWERING:
            assert not any(name in send_question(client, route, LOOK, stream=True).text for name in HIDDEN)


def test_fingerprinting_operators_choose_their_words(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"refusals": {"illegal": "Let us talk about something else."}}
    own = overlay_policy(guard.policy, changes, guard.model.taxonomy)
    assert own.actions["illegal"][3] is Action.REFUSE
    monkeypatch.setattr(guard, "policy", own)
    with open_client(guard) as client:
        for route in (*ANSWERING, GUARDRAIL):
            assert refusals(send_question(client, route, MAKE, WEAPON)) == ["Let us talk about something else."]
