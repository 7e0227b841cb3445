"""The table has a row for every route and a route for every row, and its rows name what exists."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from service.api.token_limits import HEADER
from service.app import create_app
from service.endpoints import (
    CHAT,
    CLASSIFY,
    COMPLETIONS,
    ENDPOINTS,
    GUARDRAIL,
    MODERATIONS,
    OPEN_PATHS,
    PLAYGROUND_CHAT,
    PLAYGROUND_JUDGEMENT,
    PLAYGROUND_UNGUARDED,
    TABLE,
    Endpoint,
    LimitSetting,
    Quantity,
)
from service.middleware.route_matching import list_routes
from service.settings import Settings
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_png
from tests.helpers.requests.judging_requests import build_body, build_form
from tests.helpers.server.applications import open_local_client

KEYS = "- {name: any, sha256: " + 64 * "a" + "}"


def read_routes(settings: Settings) -> Mapping[str, frozenset[str]]:
    routes = list(list_routes(create_app(settings, FakeGuard()).routes))
    assert len(dict(routes)) == len(routes), "a path has two routes"
    return dict(routes)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(api_keys=KEYS),
        Settings(playground=False),
        Settings(root_path="/guard", allowed_origins=("https://a.b",)),
    ],
)
def test_every_route_has_a_row_with_its_method(settings: Settings) -> None:
    routes = read_routes(settings)
    assert set(routes) - set(TABLE) == set()
    for template, methods in routes.items():
        assert methods - {"HEAD"} == {TABLE[template].method}, template


def test_every_row_has_a_route() -> None:
    assert set(TABLE) == set(read_routes(Settings()))
    missing = set(TABLE) - set(read_routes(Settings(playground=False)))
    assert missing == {template for template in TABLE if template.startswith("/playground")}


def test_no_two_rows_have_the_same_template() -> None:
    assert len(TABLE) == len(ENDPOINTS)


def test_open_paths_have_no_parameters_since_connections_compare_them_as_text() -> None:
    assert {"/healthz", "/readyz"} == OPEN_PATHS
    assert not any("{" in path for path in OPEN_PATHS)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_a_row_names_what_exists(endpoint: Endpoint) -> None:
    assert set(endpoint.limits.values()) <= set(Settings.model_fields)
    assert set(endpoint.limited_fields.values()) <= set(endpoint.limits)
    assert not endpoint.reaches_model or {"images", "prompt_tokens"} <= set(endpoint.limits)
    assert endpoint.substitute is None or TABLE[endpoint.substitute].reaches_model
    assert endpoint.scope is not None or not endpoint.reaches_model, "what runs the model needs a scope"


def test_limited_fields_are_in_the_document() -> None:
    paths = create_app(Settings(), FakeGuard()).openapi()["paths"]
    for endpoint in ENDPOINTS:
        named = set(endpoint.limited_fields) | ({"model"} if endpoint.model_aliases is not None else set())
        if endpoint.is_documented and named:
            (operation,) = paths[endpoint.path].values()
            bodies = operation["requestBody"]["content"].values()
            assert named <= {field for body in bodies for field in body["schema"]["properties"]}, endpoint.path


LONG = "Tell me about all of them. " * 20
PICTURES = (encode_png((8, 8)), encode_png((9, 9)))
TOO_LONG, TOO_MANY = "prompt_too_long", "too_many_images"
SEVERAL = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
PAGE_FORMS: tuple[tuple[Quantity, list[Any], str], ...] = (
    ("images", build_form("Hi", *PICTURES), TOO_MANY),
    ("texts", build_form("Hi", earlier=SEVERAL), "too_many_messages"),
    ("prompt_tokens", build_form(LONG), TOO_LONG),
    ("reply_tokens", build_form("Hi", max_tokens=2), "max_tokens_too_large"),
)
"""The same for all paths that take conversations from the page."""

EXCEEDED: list[tuple[Endpoint, Quantity, dict[str, Any], str]] = [
    (CHAT, "images", build_body(CHAT.path, "Hi", *PICTURES), TOO_MANY),
    (CHAT, "prompt_tokens", build_body(CHAT.path, LONG), TOO_LONG),
    (CHAT, "reply_tokens", build_body(CHAT.path, "Hi", max_tokens=2), "max_tokens_too_large"),
    (CLASSIFY, "images", build_body(CLASSIFY.path, "Hi", *PICTURES), TOO_MANY),
    (CLASSIFY, "prompt_tokens", build_body(CLASSIFY.path, LONG), TOO_LONG),
    *(
        (endpoint, quantity, {"form": form}, met)
        for endpoint in (PLAYGROUND_CHAT, PLAYGROUND_JUDGEMENT, PLAYGROUND_UNGUARDED)
        for quantity, form, met in PAGE_FORMS
        if quantity in endpoint.limits
    ),
    (COMPLETIONS, "images", build_body(COMPLETIONS.path, "Hi", *PICTURES, model="fake"), TOO_MANY),
    (
        COMPLETIONS,
        "texts",
        {"model": "fake", "messages": [{"role": role, "content": "Hi"} for role in ("system", "user")]},
        "too_many_messages",
    ),
    (COMPLETIONS, "choices", build_body(COMPLETIONS.path, "Hi", model="fake", n=2), "n_too_large"),
    (COMPLETIONS, "prompt_tokens", build_body(COMPLETIONS.path, LONG, model="fake"), TOO_LONG),
    (COMPLETIONS, "reply_tokens", build_body(COMPLETIONS.path, "Hi", model="fake", max_tokens=2), "lowered to 1"),
    (MODERATIONS, "images", build_body(MODERATIONS.path, "Hi", *PICTURES, model="fake"), TOO_MANY),
    (MODERATIONS, "texts", {"input": ["Hi", "there"]}, "too_many_inputs"),
    (MODERATIONS, "prompt_tokens", {"input": LONG}, "in windows"),
    (MODERATIONS, "judged_characters", {"input": LONG}, TOO_LONG),
    (GUARDRAIL, "images", build_body(GUARDRAIL.path, "Hi", *PICTURES), "BLOCKED"),
    (GUARDRAIL, "prompt_tokens", build_body(GUARDRAIL.path, LONG), "in windows"),
    (GUARDRAIL, "judged_characters", build_body(GUARDRAIL.path, LONG), "BLOCKED"),
]
"""Requests with more than one of a quantity, as JSON or a form, and what they lead to where one is the maximum."""


def send(endpoint: Endpoint, body: dict[str, Any], **settings: Any) -> str:
    """Send a request; returns the limit that it met, if any."""
    fake = FakeGuard(bare_pieces=("a",))
    with open_local_client(fake, playground_compare=True, **settings) as client:
        content: dict[str, Any] = {"files": body["form"]} if "form" in body else {"json": body}
        response = client.post(endpoint.path, headers={"Sec-Fetch-Site": "same-origin"}, **content)
    if response.headers["content-type"].startswith("text/event-stream"):
        return ""
    reply = response.json()
    if "error" in reply:
        return str(reply["error"]["code"])
    if HEADER in response.headers:
        return f"lowered to {response.headers[HEADER]}"
    if reply.get("action") == "BLOCKED":
        return "BLOCKED"
    return "in windows" if len(fake.requests) > 2 else ""


@pytest.mark.parametrize(
    ("endpoint", "quantity", "body", "met"),
    EXCEEDED,
    ids=[f"{one.label}-{quantity}" for one, quantity, _, _ in EXCEEDED],
)
def test_a_limit_in_the_table_is_the_one_enforced(
    endpoint: Endpoint, quantity: Quantity, body: dict[str, Any], met: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name: LimitSetting = "max_turns" if quantity == "choices" else "max_choices"
    assert send(endpoint, body) == "", "it is within the limit that the row names"
    changed = replace(endpoint, limits={**endpoint.limits, quantity: name})
    monkeypatch.setitem(TABLE, endpoint.template, changed)
    assert send(endpoint, body, **{name: 1}) == met


def test_every_limit_in_the_table_is_exceeded_above() -> None:
    assert {(endpoint.path, quantity) for endpoint, quantity, _, _ in EXCEEDED} == {
        (endpoint.path, quantity) for endpoint in ENDPOINTS for quantity in endpoint.limits
    }


def test_a_limit_in_the_table_is_the_one_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = replace(CHAT, limits={**CHAT.limits, "images": "max_choices"})
    monkeypatch.setitem(TABLE, CHAT.template, changed)
    paths = create_app(Settings(max_choices=3), FakeGuard()).openapi()["paths"]
    fields = paths[CHAT.path]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert fields["images"]["anyOf"][0]["maxItems"] == 3
