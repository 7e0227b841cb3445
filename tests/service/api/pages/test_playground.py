"""The page's files and paths, without a browser; what a person does with them is in ``tests/service/playground``."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.policy.documents import overlay_policy
from safety_core.policy.policy import Policy, decide_worst
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY
from service.access.api_keys import Scope, format_key_entry
from service.endpoints import ENDPOINTS
from service.playground import FILES, read_file
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_base64_png, encode_png
from tests.helpers.paths import NANO_CHECKPOINT, ROOT
from tests.helpers.requests.judging_requests import (
    COMPLETIONS,
    LOOK,
    MODEL,
    PAGE,
    PAGE_CHAT,
    PLAYGROUND,
    SCENE,
    STEAL,
    UNGUARDED,
    build_body,
    send_question,
)
from tests.helpers.server.applications import open_client
from tests.helpers.server.events import parse_events
from tests.helpers.server.metrics import read_metric


@pytest.fixture(scope="module")
def guard() -> Guard:
    return load_guard(NANO_CHECKPOINT, device="cpu")


TEXTS = {name: read_file(name)[0].decode() for name in FILES}
MARKUP = TEXTS["playground.html"]
SCRIPTS = {name: text for name, text in TEXTS.items() if name.endswith(".js")}


# --- files -----------------------------------------------------------------------------------------------------------


def test_every_file_is_served_under_a_strict_policy(client: TestClient) -> None:
    kinds = {
        "html": "text/html; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
    }
    for path in ("/playground", *(f"/playground/{name}" for name in FILES)):
        response = client.get(path)
        assert response.status_code == 200
        assert response.headers["content-type"] == kinds[path.rpartition(".")[2] if "." in path else "html"]
        policy = dict(part.split(" ", 1) for part in response.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert (policy["script-src"], policy["style-src"], policy["connect-src"]) == ("'self'", "'self'", "'self'")
        assert (policy["require-trusted-types-for"], policy["frame-ancestors"]) == ("'script'", "'none'")
        assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["__init__.py", "..%2fsettings.py", "../settings.py", "nothing.js", "examples/x.png"])
def test_nothing_else_is(client: TestClient, name: str) -> None:
    assert client.get(f"/playground/{name}").status_code == 404


def test_no_file_is_left_over_and_none_is_missing() -> None:
    in_folder = {
        path.name for path in (ROOT / "service" / "playground").iterdir() if path.suffix in (".html", ".css", ".js")
    }
    assert set(FILES) == in_folder
    named = set(re.findall(r'"playground/([\w.]+)"', MARKUP))
    imported = {name for text in SCRIPTS.values() for name in re.findall(r'from "\./([\w.]+)"', text)}
    assert named | imported == set(FILES) - {"playground.html"}


def test_markup_holds_no_script_no_style_and_no_other_host() -> None:
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", MARKUP) == []
    for name, text in TEXTS.items():
        assert re.findall(r"https?://|//[a-z]+\.[a-z]+", text.replace("application/x-", "")) == [], name


def test_scripts_make_no_markup_of_text() -> None:
    for name, text in SCRIPTS.items():
        assert (
            re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|localStorage", text)
            == []
        ), name


def test_every_element_that_scripts_name_is_in_the_page() -> None:
    ids = set(re.findall(r'\bid="([\w-]+)"', MARKUP))
    named = {name for text in SCRIPTS.values() for name in re.findall(r'\$\("([\w-]+)"\)', text)}
    assert named - ids == set()
    assert set(re.findall(r'aria-(?:labelledby|describedby|controls)="([\w-]+)"', MARKUP)) - ids == set()


def test_page_and_documents_work_behind_a_prefix(fake: FakeGuard) -> None:
    """Whether or not the proxy strips it; every reference of the page is relative to where it came from."""
    with open_client(fake, root_path="/guard") as client:
        for prefix in ("", "/guard"):
            page = client.get(f"{prefix}/playground")
            assert page.status_code == 200
            for reference in re.findall(r'(?:href|src)="((?!data:)[^"]+)"', page.text):
                assert client.get(str(page.url.join(reference).path)).status_code == 200, reference
            assert client.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": "/guard"}]
            documentation = client.get(f"{prefix}/docs")
            for reference in ("openapi.json", *re.findall(r'(?:href|src)="((?!data:)[^"]+)"', documentation.text)):
                assert client.get(str(documentation.url.join(reference).path)).status_code == 200, reference
            assert client.post(f"{prefix}/v1/chat", json={"prompt": "a"}).status_code == 200
    for name, text in TEXTS.items():
        assert re.findall(r"""(?:href|src)="/|fetch\(["'`]/|location\.origin""", text) == [], name


def test_an_operator_can_do_without_the_page(fake: FakeGuard) -> None:
    with open_client(fake, playground=False) as client:
        for path in ("/playground", "/playground/about", "/playground/playground.js", "/playground/model-card"):
            assert client.get(path).status_code == 404
        for route in PAGE:
            assert send_question(client, route, "a").status_code == 404


# --- what is told about the server -----------------------------------------------------------------------------------


def test_the_model_card_is_sent_as_text(tiny_checkpoint: Path) -> None:
    with open_client(load_guard(tiny_checkpoint, device="cpu")) as client:
        card = client.get("/playground/model-card")
        assert (card.text, card.headers["content-type"]) == ("# Tiny\n", "text/plain; charset=utf-8")
        assert card.headers["x-content-type-options"] == "nosniff"


def test_a_guard_without_a_model_card_has_none(client: TestClient) -> None:
    assert client.get("/playground/model-card").status_code == 404


@pytest.mark.parametrize("name", ["nothing.png", "CREDITS.md", "__init__.py", "..%2fplayground.html", "drawn"])
def test_no_other_file_is_an_example(client: TestClient, name: str) -> None:
    assert client.get(f"/playground/examples/{name}").status_code == 404


# --- conversations ---------------------------------------------------------------------------------------------------

EARLIER = ({"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good morning."})


def test_a_conversation_gets_the_reply_of_the_chat_endpoint(client: TestClient, fake: FakeGuard) -> None:
    reply = send_question(client, PAGE_CHAT, "What is it?", encode_png(), earlier=EARLIER).json()
    chat = client.post("/v1/chat", json={"prompt": "What is it?", "images": [encode_base64_png()]}).json()
    assert set(reply) == set(chat)
    assert (reply["decision"], reply["content"], reply["images_scanned"]) == ("allowed", "".join(fake.pieces), 1)
    assert [turn.text for turn in fake.requests[0].turns] == ["Hello", "Good morning.", "What is it?"]


def test_a_stream_has_the_events_of_the_chat_endpoint(client: TestClient, fake: FakeGuard) -> None:
    response = send_question(client, PAGE_CHAT, "What is it?", earlier=EARLIER, stream=True)
    events = parse_events(response.text)
    assert [name for name, _ in events] == ["assessment", *["delta"] * len(fake.pieces), "done"]
    assert "".join(data["content"] for name, data in events if name == "delta") == events[-1][1]["content"]


def test_a_refused_turn_of_a_conversation_is_dropped_as_on_the_openai_compatible_path(guard: Guard) -> None:
    """Both paths judge the same conversation, and see what was judged from the same cache."""
    earlier = [{"role": "user", "content": STEAL}, {"role": "assistant", "content": "No."}]
    with open_client(guard, default_max_tokens=4) as client:
        reply = send_question(client, PAGE_CHAT, LOOK, SCENE, earlier=earlier).json()
        messages = [*earlier, *build_body(COMPLETIONS, LOOK, SCENE)["messages"]]
        completion = client.post(COMPLETIONS, json={"model": MODEL, "messages": messages}).json()
        assert reply["decision"] == completion["safevlm"]["decision"] == "allowed"
        assert completion["safevlm"]["dropped_messages"] == [0, 1]
        assert reply["risk"] == completion["safevlm"]["risk"]
        assert reply["content"] == completion["choices"][0]["message"]["content"]
        metrics = client.get("/metrics").text
        assert read_metric(metrics, "safevlm_verdict_cache_total", outcome="hit") == read_metric(
            metrics, "safevlm_verdict_cache_total", outcome="miss"
        ), "the second path judges nothing"
        why = send_question(client, PLAYGROUND, LOOK, SCENE, earlier=earlier).json()["why"]
        assert (why["decision"], why["dropped_messages"]) == ("allowed", [0, 1])


def test_a_judgement_explains_what_the_chat_was_answered_by(client: TestClient, fake: FakeGuard) -> None:
    asked = ("refuse me", encode_png())
    chat = send_question(client, PAGE_CHAT, *asked, explain=True).json()
    judged = send_question(client, PLAYGROUND, *asked).json()
    why = judged["why"]
    assert (judged["decision"], len(judged["images"])) == (chat["decision"], 1)
    assert (why["decision"], why["refusal"]) == (chat["decision"], chat["refusal"])
    assert why["policy"]["name"] == "default"
    deciding = next(view for view in why["views"] if view["view"] == why["decided_by"]["view"])
    assert deciding["type_scores"] == chat["risk"]["type_scores"]
    assert len(fake.requests) == 1, "it was known already"
    text = client.get("/metrics").text
    assert read_metric(text, "safevlm_verdict_cache_total", outcome="hit") == 1
    for endpoint in ("playground_chat", "playground"):
        assert read_metric(text, "safevlm_requests_total", endpoint=endpoint, decision=chat["decision"]) == 1


def test_a_judgement_has_a_heatmap_of_every_picture(client: TestClient) -> None:
    judged = send_question(client, PLAYGROUND, "What is it?", encode_png(), encode_png((9, 9))).json()
    assert all(image["heatmap"].startswith("data:image/png;base64,") for image in judged["images"])


def test_a_judgement_says_nothing_of_risks_where_they_are_hidden(fake: FakeGuard) -> None:
    with open_client(fake, expose_risk=False) as client:
        judged = send_question(client, PLAYGROUND, "a").json()
        assert set(judged) == {"id", "model", "flagged", "decision", "images_received", "images_scanned"}
        assert client.post("/playground/decisions", json={"requests": []}).status_code == 404


# --- decisions -------------------------------------------------------------------------------------------------------

SHARES = st.floats(0, 1, allow_nan=False)
VIEWS = st.lists(
    st.builds(
        RiskScores,
        types=st.tuples(*[SHARES] * len(DEFAULT_TAXONOMY.types)),
        levels=st.tuples(*[SHARES] * len(DEFAULT_TAXONOMY.levels)),
    ),
    min_size=1,
    max_size=4,
)


def scored(views: list[RiskScores]) -> list[dict[str, Any]]:
    return [{"types": list(view.types), "levels": list(view.levels)} for view in views]


@pytest.fixture(scope="module")
def steady() -> Iterator[TestClient]:
    with open_client(FakeGuard()) as client:
        yield client


@settings(deadline=None)
@given(
    sessions=st.lists(VIEWS, max_size=3),
    threshold=st.floats(0, 1.5),
    action=st.sampled_from(["allow", "caution", "refuse"]),
    on=st.booleans(),
)
def test_changed_rules_decide_as_the_guard_would(
    steady: TestClient, sessions: list[list[RiskScores]], threshold: float, action: str, on: bool
) -> None:
    changes = {
        "thresholds": {"illegal": {"2": threshold}},
        "actions": {"illegal": {"3": action}},
        "enabled": {"privacy": on},
    }
    policy = overlay_policy(Policy.create_default(DEFAULT_TAXONOMY), changes, DEFAULT_TAXONOMY)
    body = {"changes": changes, "requests": [scored(views) for views in sessions]}
    found = steady.post("/playground/decisions", json=body).json()["decisions"]
    for views, told in zip(sessions, found, strict=True):
        *per_image, last = views
        pair = PairScores(
            joint=last if per_image else None, per_image=tuple(per_image) or (last,), image=None, text=None
        )
        verdict, _ = decide_worst(policy, DEFAULT_TAXONOMY, pair)
        named = verdict.type if verdict.level else DEFAULT_TAXONOMY.safe_type
        assert told == {"decision": verdict.decision.value, "type": named, "level": verdict.level}


ONE = scored([RiskScores(types=(0.5,) * len(DEFAULT_TAXONOMY.types), levels=(0.5,) * len(DEFAULT_TAXONOMY.levels))])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"requests": [[{"types": [0.5], "levels": [0.5]}]]}, "invalid_field"),
        ({"requests": [[{"types": "canary", "levels": []}]]}, "invalid_field"),
        ({"requests": [ONE] * 65}, "invalid_field"),
        ({"requests": [ONE * 4097]}, "invalid_field"),
        ({"requests": [], "changes": {"canary": 1}}, "invalid_field"),
        ({"requests": [], "changes": {"thresholds": {"canary": {"1": 1}}}}, "invalid_field"),
        ({"requests": [], "changes": {"thresholds": {"privacy": {"1": "canary"}}}}, "invalid_field"),
        ({"requests": [], "changes": {"thresholds": {"privacy": {"1": -1}}}}, "invalid_field"),
        ({"requests": [ONE], "novelties": ["canary"]}, "invalid_field"),
        ({"requests": [], "policy": "canary"}, "policy_not_allowed"),
        ({"requests": [], "canary": 1}, "unknown_field"),
    ],
)
def test_what_is_no_change_is_told_so_without_an_echo(client: TestClient, body: Any, code: str) -> None:
    response = client.post("/playground/decisions", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (403 if code.startswith("policy") else 422, code)
    assert "canary" not in response.text


def test_a_request_without_a_view_has_no_verdict(client: TestClient) -> None:
    (told,) = client.post("/playground/decisions", json={"requests": [[]]}).json()["decisions"]
    assert told["decision"] == "refused"


def test_a_session_of_as_many_views_as_are_accepted_is_decided_about(client: TestClient) -> None:
    view = {name: [0.12345678901234567] * count for name, count in (("types", 7), ("levels", 4))}
    assert len(client.post("/playground/decisions", json={"requests": [[view] * 64] * 64}).json()["decisions"]) == 64
    for requests in ([[view] * 4097], [[view] * 64] * 65, [[view] * 65] * 64):
        assert client.post("/playground/decisions", json={"requests": requests}).status_code == 422


def test_scores_of_many_megabytes_are_not_read(client: TestClient) -> None:
    response = client.post(
        "/playground/decisions", content=b" " * (2**21 + 1), headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")


def test_a_trial_is_counted_nowhere(client: TestClient) -> None:
    client.post("/playground/decisions", json={"requests": [ONE]})
    text = client.get("/metrics").text
    assert 'endpoint="playground"' not in text
    assert "safevlm_policy_decisions_total{" not in text


# --- the door --------------------------------------------------------------------------------------------------------

FROM_ELSEWHERE = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
)
FROM_HERE: tuple[dict[str, str], ...] = (
    {},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": "http://testserver"},
)


@pytest.mark.parametrize("path", [endpoint.path for endpoint in ENDPOINTS if endpoint.reaches_model])
def test_a_browser_asks_for_this_page_only(client: TestClient, path: str) -> None:
    for headers in FROM_ELSEWHERE:
        response = client.post(path, json={"prompt": "a"}, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "cross_site")
    for headers in FROM_HERE:
        expected = (404,) if path == UNGUARDED else (415,) if path in PAGE else (200, 422)
        assert client.post(path, json={"prompt": "a"}, headers=headers).status_code in expected


def test_the_page_is_for_who_may_chat(fake: FakeGuard) -> None:
    keys = "".join(format_key_entry(scope.value, scope.value, [scope]) for scope in Scope)
    with open_client(fake, api_keys=keys) as client:
        for path in ("/playground", "/playground/about", "/playground/playground.js"):
            statuses = {scope: client.get(path, auth=("any", scope.value)).status_code for scope in Scope}
            assert statuses == {Scope.CHAT: 200, Scope.CLASSIFY: 403, Scope.METRICS: 403}


def test_a_browser_is_told_to_ask_for_a_password(fake: FakeGuard) -> None:
    with open_client(fake, api_keys=format_key_entry("chat", "chat", [Scope.CHAT])) as client:
        response = client.get("/playground")
        assert response.status_code == 401
        assert response.headers.get_list("www-authenticate") == ['Bearer realm="safevlm"', 'Basic realm="safevlm"']
