"""No text hides in JSON: keys, numbers, escapes, equal keys, and JSON within a text."""

import json

import pytest

from service.api.litellm.json_texts import list_json_texts, unfold_json


def test_keys_and_values_are_listed_in_order() -> None:
    assert list_json_texts({"a": ["b", {"c": 1}], "d": True, "e": None}) == ["a", "b", "c", "1", "d", "true", "e"]


def test_json_within_a_text_is_listed_too_at_any_depth() -> None:
    inner = json.dumps({"key": json.dumps(["value"])})
    assert list_json_texts([inner]) == ["key", "value"]
    assert unfold_json(inner) == "key\nvalue"


def test_escapes_in_a_plain_text_are_resolved() -> None:
    assert list_json_texts(["st\\u0065al"]) == ["steal"]


def test_of_equal_keys_all_values_are_listed_and_numbers_stay_as_they_are_spelt() -> None:
    assert unfold_json('{"a": "one", "a": "two", "b": 1.50}') == "a\none\na\ntwo\nb\n1.50"


@pytest.mark.parametrize("text", ["plain", "{not json}", "[1, 2", "", "1", "null"])
def test_what_is_not_json_is_returned_unchanged(text: str) -> None:
    assert unfold_json(text) == text
