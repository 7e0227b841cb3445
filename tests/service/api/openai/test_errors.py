"""Errors on OpenAI's paths have OpenAI's statuses and codes; elsewhere, and in metrics, they keep the server's own."""

import base64
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.api.openai.errors import convert_to_openai
from service.errors import ErrorReply
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_png
from tests.helpers.server.applications import open_client
from tests.helpers.server.metrics import read_metric

BROKEN = {
    "image_encoding": ("!", "invalid_base64_image"),
    "image_empty": ("", "empty_image_file"),
    "image_format": (base64.b64encode(b"no picture").decode(), "invalid_image_format"),
    "image_corrupt": (base64.b64encode(encode_png()[:40]).decode(), "image_parse_error"),
    "image_too_large": (base64.b64encode(bytes(600)).decode(), "image_too_large"),
    "image_url": ("https://example.org/a.png", "invalid_image_url"),
}


def asked(client: TestClient, path: str, url: str) -> Any:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": url}}]
    body = {"messages": [{"role": "user", "content": parts}]} if "chat" in path else {"input": parts}
    return client.post(path, json={"model": "fake", **body})


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/moderations"])
@pytest.mark.parametrize("own", BROKEN)
def test_a_broken_picture_has_openais_code_and_is_counted_under_our_own(path: str, own: str) -> None:
    url, code = BROKEN[own]
    with open_client(FakeGuard(), max_image_bytes=500) as client:
        response = asked(client, path, url)
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["type"]) == (400, code, "invalid_request_error")
        assert error["param"].endswith(".1.image_url.url")
        assert read_metric(client.get("/metrics").text, "safevlm_rejected_total", reason=own) == 1
        assert client.post("/v1/classify", json={"images": [url]}).json()["error"]["code"] == own


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/moderations"])
def test_bodies_of_another_kind_or_size_are_bad_requests(path: str) -> None:
    with open_client(FakeGuard(), max_body_bytes=500) as client:
        for options, code in (
            ({"content": b"a", "headers": {"content-type": "text/plain"}}, "content_type"),
            ({"json": {"a": "x" * 500}}, "body_too_large"),
        ):
            response = client.post(path, **options)
            assert (response.status_code, response.json()["error"]["code"]) == (400, code)


def test_a_kind_of_broken_picture_that_openai_does_not_know_is_an_invalid_image() -> None:
    reply = ErrorReply(status=413, message="m", type="invalid_request_error", code="image_of_a_new_kind", param="p")
    told = convert_to_openai(reply)
    assert (told.status, told.code, told.message, told.param) == (400, "invalid_image", "m", "p")


def test_errors_of_the_server_stay_what_they_are() -> None:
    reply = ErrorReply(status=503, message="m", type="overloaded_error", code="timeout", retry_after_s=5)
    assert convert_to_openai(reply) == reply
