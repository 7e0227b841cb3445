"""The OpenAPI document says what every client meets: names, limits, keys, and how each of them is told."""

from typing import Any

import pytest

from service.app import create_app
from service.endpoints import MODERATIONS, OPEN_PATHS, TABLE, replace_parameters
from service.settings import Settings
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.applications import open_client
from tests.helpers.server.keys import KEY_FILE


def document(**settings: Any) -> dict[str, Any]:
    return create_app(Settings(**settings), FakeGuard()).openapi()


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {path: operation for path, item in schema["paths"].items() for operation in item.values()}


def fields(schema: dict[str, Any], path: str, kind: str = "application/json") -> dict[str, Any]:
    found = operations(schema)[path]["requestBody"]["content"][kind]["schema"]["properties"]
    assert isinstance(found, dict)
    return found


def test_every_reply_has_a_name_and_every_failure_a_shape() -> None:
    for path, operation in operations(document(api_keys=KEY_FILE)).items():
        for status, response in operation["responses"].items():
            assert response["headers"]["X-Request-Id"]["required"], (path, status)
            assert ("Retry-After" in response["headers"]) == (status in ("429", "503"))
            if status != "200":
                shape = response["content"]["application/json"]["schema"]
                assert shape == {"$ref": "#/components/schemas/ErrorOut"}, (path, status)


def test_keys_are_asked_for_where_the_gate_asks() -> None:
    schema = document(api_keys=KEY_FILE)
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "header", "password"}
    for path, operation in operations(schema).items():
        closed = path not in OPEN_PATHS
        assert ("security" in operation) == ("401" in operation["responses"]) == closed, path
        assert ("403" in operation["responses"]) == (TABLE[replace_parameters(path)].scope is not None), path
        assert ("429" in operation["responses"]) == closed, path
    assert operations(schema)["/v1/models"]["responses"]["401"]["headers"]["WWW-Authenticate"]["required"]


def test_without_keys_none_are_asked_for() -> None:
    schema = document()
    assert "securitySchemes" not in schema["components"]
    assert all("security" not in operation for operation in operations(schema).values())


def test_the_operators_limits_stand_in_it() -> None:
    schema = document(max_images=3, max_tokens=77, max_turns=5, max_choices=2)
    for path in ("/v1/chat", "/v1/classify"):
        assert fields(schema, path)["images"]["anyOf"][0]["maxItems"] == 3
        assert fields(schema, path, "multipart/form-data")["image"]["maxItems"] == 3
    assert fields(schema, "/v1/chat")["max_tokens"]["anyOf"][0]["maximum"] == 77
    assert fields(schema, "/v1/chat", "multipart/form-data")["max_tokens"]["maximum"] == 77
    completion = fields(schema, "/v1/chat/completions")
    assert (completion["messages"]["maxItems"], completion["n"]["anyOf"][0]["maximum"]) == (5, 2)
    # It makes no reply, and takes the field only so that it takes what a chat takes.
    assert "maximum" not in fields(schema, "/v1/classify")["max_tokens"]["anyOf"][0]


def test_the_model_that_is_served_stands_in_it() -> None:
    with open_client(FakeGuard()) as client:
        schema = client.get("/openapi.json").json()
    assert fields(schema, "/v1/chat/completions")["model"]["enum"] == ["fake"]
    judges = fields(schema, "/v1/moderations")["model"]["anyOf"][0]["enum"]
    assert judges == ["fake", *(MODERATIONS.model_aliases or ())], "OpenAI's names stand for it"


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/chat/completions"])
def test_large_bounds_are_exact(path: str) -> None:
    seed = fields(document(), path)["seed"]["anyOf"][0]
    assert (seed["minimum"], seed["exclusiveMaximum"]) == (-(2**63), 2**63)
    assert all(type(seed[bound]) is int for bound in ("minimum", "exclusiveMaximum"))


def test_links_lead_to_operations() -> None:
    found = operations(document())
    named = {operation["operationId"] for operation in found.values()}
    links = [
        link
        for operation in found.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(links) == 3
    assert {link["operationId"] for link in links} <= named
