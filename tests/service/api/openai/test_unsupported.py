"""Paths of OpenAI's API that are not served say so, in the shape that its client reads."""

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI

from service.endpoints import TABLE, UNSUPPORTED, Endpoint
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.applications import open_client


def test_openais_client_learns_which_path_to_use() -> None:
    with (
        open_client(FakeGuard()) as transport,
        OpenAI(base_url="http://a/v1", api_key="none", http_client=transport) as client,
    ):
        calls: dict[str, Callable[[], object]] = {
            "/v1/responses": lambda: client.responses.create(model="fake", input="a"),
            "/v1/completions": lambda: client.completions.create(model="fake", prompt="a"),
            "/v1/embeddings": lambda: client.embeddings.create(model="fake", input="a"),
        }
        for path, call in calls.items():
            with pytest.raises(openai.NotFoundError) as error:
                call()
            assert error.value.code == "unsupported_endpoint"
            assert path in error.value.message
            assert ("/v1/chat/completions" in error.value.message) == (TABLE[path].substitute is not None)


@pytest.mark.parametrize("endpoint", UNSUPPORTED, ids=lambda endpoint: endpoint.path)
def test_the_advice_leads_to_a_path_that_is_served(endpoint: Endpoint) -> None:
    path, instead = endpoint.path, endpoint.substitute
    with open_client(FakeGuard()) as client:
        response = client.post(path, content=b"SECRET")
        error: dict[str, Any] = response.json()["error"]
        assert (response.status_code, error["type"]) == (404, "invalid_request_error")
        assert path not in client.get("/openapi.json").json()["paths"]
        assert instead is None or client.post(instead, json={}).status_code == 422
