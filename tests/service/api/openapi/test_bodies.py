"""Bodies in the document say what is accepted: forms and JSON alike, with a picture or a prompt."""

from typing import Any

import pytest
from jsonschema_rs import validator_for

from service.api.openapi.bodies import build_form_or_json_body, build_json_body
from service.api.schemas.requests import FormRequest, JsonRequest
from service.ingress.body import JSON
from service.ingress.multipart import MULTIPART


def schema(kind: str, *, has_reply: bool) -> dict[str, Any]:
    found = build_form_or_json_body(has_reply=has_reply)["requestBody"]["content"][kind]["schema"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("body", "chat", "classify"),
    [
        ({"prompt": "Hi"}, True, True),
        ({"images": ["aaaa"]}, True, True),
        ({"images": [], "prompt": "Hi"}, True, True),
        ({"prompt": " "}, False, True),  # a reply needs words
        ({"prompt": ""}, False, False),
        ({"images": []}, False, False),
        ({}, False, False),
        ({"prompt": "Hi", "temperature": 3}, False, False),
        ({"prompt": "Hi", "other": 1}, False, False),
    ],
)
def test_a_json_body_needs_a_picture_or_a_prompt(body: Any, chat: bool, classify: bool) -> None:
    found = [validator_for(schema(JSON, has_reply=has_reply)).is_valid(body) for has_reply in (True, False)]
    assert found == [chat, classify]


def test_a_form_has_the_same_fields_with_files_and_without_null() -> None:
    form, body = (schema(kind, has_reply=True)["properties"] for kind in (MULTIPART, JSON))
    assert set(form) == {*FormRequest.model_fields, "image"}
    assert set(body) == set(JsonRequest.model_fields)
    assert form["image"]["items"] == {"type": "string", "format": "binary"}
    assert not any("null" in str(field.get("anyOf", field.get("type"))) for field in form.values())


def test_a_body_that_is_json_only_is_required() -> None:
    body = build_json_body(JsonRequest)["requestBody"]
    assert body["required"]
    assert set(body["content"]) == {JSON}
