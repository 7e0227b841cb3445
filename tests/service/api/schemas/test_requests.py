"""JSON has types and forms have texts: each is read as its schema says, and nothing else is taken for it."""

import json

import jsonschema_rs
import pytest
from pydantic import ValidationError

from service.api.schemas.requests import NOT_BLANK, FormRequest, JsonRequest


@pytest.mark.parametrize(
    "body",
    ['{"stream": "true"}', '{"explain": 1}', '{"max_tokens": true}', '{"max_tokens": "5"}', '{"temperature": "0.5"}',
     '{"max_tokens": 5.5}', '{"seed": 1e30}', '{"seed": 9223372036854775808}', '{"prompt": 5}'],
)  # fmt: skip
def test_json_of_other_types_is_refused(body: str) -> None:
    with pytest.raises(ValidationError):
        JsonRequest.model_validate_json(body)


def test_json_numbers_are_numbers_however_they_are_written() -> None:
    asked = JsonRequest.model_validate_json(
        '{"max_tokens": 5.0, "seed": -9223372036854775808, "temperature": 1, "top_p": 1e-3, "stream": true}'
    )
    assert (asked.max_tokens, asked.seed, asked.temperature, asked.top_p) == (5, -(2**63), 1.0, 0.001)
    assert type(asked.max_tokens) is int


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("True", True)])
def test_forms_spell_true_and_false(text: str, value: bool) -> None:
    asked = FormRequest.model_validate({"stream": text, "explain": text, "max_tokens": "5", "temperature": "0.5"})
    assert (asked.stream, asked.explain, asked.max_tokens, asked.temperature) == (value, value, 5, 0.5)


@pytest.mark.parametrize("text", ["1", "0", "yes", "on", "", "null"])
def test_other_words_are_neither(text: str) -> None:
    with pytest.raises(ValidationError):
        FormRequest.model_validate({"stream": text})


def test_null_is_the_default_of_every_field() -> None:
    document = json.dumps(dict.fromkeys(JsonRequest.model_fields))
    assert JsonRequest.model_validate_json(document) == JsonRequest()


def test_a_blank_text_is_what_strip_leaves_nothing_of() -> None:
    says_something = jsonschema_rs.validator_for(NOT_BLANK)
    for code in (*range(0xD800), *range(0xE000, 0x10000), 0x1F600):
        assert says_something.is_valid(chr(code)) == bool(chr(code).strip()), hex(code)
    assert says_something.is_valid(" \n\x1c a")
    assert not says_something.is_valid(" \n\x1c")
