"""The table has a row for every route and a route for every row, and its rows name what exists."""

from collections.abc import Mapping

import pytest

from service.app import create_app
from service.endpoints import ENDPOINTS, OPEN_PATHS, TABLE, Endpoint
from service.middleware.route_matching import list_routes
from service.settings import Settings
from tests.helpers.engine.fakes import FakeGuard

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
    assert endpoint.substitute is None or TABLE[endpoint.substitute].reaches_model
    assert endpoint.scope is not None or not endpoint.reaches_model, "what runs the model needs a scope"


def test_limited_fields_are_in_the_document() -> None:
    paths = create_app(Settings(), FakeGuard()).openapi()["paths"]
    for endpoint in ENDPOINTS:
        named = {*endpoint.limits, *endpoint.token_fields} | (
            {"model"} if endpoint.model_aliases is not None else set()
        )
        if endpoint.is_documented and named:
            (operation,) = paths[endpoint.path].values()
            bodies = operation["requestBody"]["content"].values()
            assert named <= {field for body in bodies for field in body["schema"]["properties"]}, endpoint.path
