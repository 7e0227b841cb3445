"""JSON bodies: elements are counted before any is parsed, and errors name fields, never values."""

import pytest
from pydantic import BaseModel

from safety_core.errors import InputError
from service.ingress.json_body import parse_json


class Question(BaseModel):
    """A schema with a text and a list."""

    prompt: str
    numbers: list[int] = []


def parse(body: bytes, *, max_elements: int = 100, charset: str | None = None) -> Question:
    return parse_json(body, Question, max_elements=max_elements, charset=charset)


def code(body: bytes, *, max_elements: int = 100, charset: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        parse(body, max_elements=max_elements, charset=charset)
    assert "SECRET" not in caught.value.message
    return caught.value.code


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_an_undeclared_unicode_encoding_is_detected(encoding: str) -> None:
    assert parse('{"prompt": "Gr\u00fc\u00dfe"}'.encode(encoding)).prompt == "Gr\u00fc\u00dfe"


@pytest.mark.parametrize(("encoding", "charset"), [("iso-8859-1", "iso-8859-1"), ("shift_jis", "shift_jis")])
def test_a_declared_encoding_counts(encoding: str, charset: str) -> None:
    text = "Gr\u00fc\u00dfe" if encoding == "iso-8859-1" else "\u3042"
    assert parse(f'{{"prompt": "{text}"}}'.encode(encoding), charset=charset).prompt == text


def test_as_many_elements_as_allowed_are_parsed_and_one_more_is_not() -> None:
    body = b'{"prompt": "a, [b], {c}", "numbers": [1, 2]}'  # also those within texts count
    elements = sum(body.count(mark) for mark in (b",", b"[", b"{"))
    assert parse(body, max_elements=elements).numbers == [1, 2]
    assert code(body, max_elements=elements - 1) == "body_too_large"


def test_elements_are_counted_after_decoding() -> None:
    assert code('{"prompt": ",,,,"}'.encode("utf-16"), max_elements=4) == "body_too_large"


@pytest.mark.parametrize(
    ("body", "charset", "expected"),
    [
        (b"", None, "body_malformed"),
        (b'{"prompt": "SECRET"', None, "body_malformed"),
        (b'{"prompt": "\xff"}', None, "body_malformed"),
        (b'{"prompt": "\xff\xff"}', "utf-16", "body_malformed"),
        (b'{"prompt": 5}', None, "invalid_field"),
        (b"[]", None, "invalid_field"),
        (b"{}", None, "invalid_field"),
    ],
)
def test_what_does_not_fit_is_an_error(body: bytes, charset: str | None, expected: str) -> None:
    assert code(body, charset=charset) == expected


def test_an_error_names_the_field() -> None:
    with pytest.raises(InputError) as caught:
        parse(b'{"prompt": "a", "numbers": [1, "SECRET"]}')
    assert caught.value.param == "numbers.1"
    assert "SECRET" not in caught.value.message
