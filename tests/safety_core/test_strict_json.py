"""Strict documents: each fault names its field, and no message contains a value."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic.functional_validators import AfterValidator

from safety_core.errors import ConfigError
from safety_core.strict_json import (
    StrictModel,
    find_problem,
    merge_mappings,
    parse_model,
    read_json_list,
    read_json_object,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def check_word(word: str, info: ValidationInfo) -> str:
    if word not in (info.context or ()):
        raise ValueError("unknown word")
    return word


class Inner(StrictModel):
    share: float = Field(default=0.5, ge=0, le=1, allow_inf_nan=False)
    names: list[str] = Field(default=[], max_length=2)


class Shape(StrictModel):
    size: int
    on: bool = True
    colour: Annotated[Colour, Field(strict=False)] = Colour.RED
    text: Annotated[str, Field(max_length=9)] = ""
    inner: Inner = Inner()
    weights: dict[Annotated[str, AfterValidator(check_word)], float] = Field(default={})

    @field_validator("text")
    @classmethod
    def check_text(cls, value: str) -> str:
        if value == "secret":
            raise ValueError("another text is needed")
        return value


def test_a_document_that_fits_is_read() -> None:
    data = {"size": 3, "colour": "blue", "inner": {"share": 1, "names": ["a"]}, "weights": {"known": 2}}
    shape = parse_model(Shape, data, where="shape", context={"known"})
    assert (shape.size, shape.colour, shape.inner.share, shape.weights) == (3, Colour.BLUE, 1.0, {"known": 2.0})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "3141"}, "shape.size: an integer is needed"),
        ({"size": True}, "shape.size: an integer is needed"),
        ({"sizes": 3141}, "shape.sizes: unknown field"),
        ({"on": 3141}, "shape.on: true or false is needed"),
        ({"colour": "3141"}, "shape.colour: must be one of ['red', 'blue']"),
        ({"text": 3141}, "shape.text: a string is needed"),
        ({"text": "3141" * 3}, "shape.text: at most 9 characters are accepted"),
        (
            {"text": "\ud83d"},
            "shape.text: a string without lone surrogates is needed; write characters directly, not as escapes",
        ),
        ({"text": "secret"}, "shape.text: another text is needed"),
        ({"inner": [3141]}, "shape.inner: an object is needed"),
        ({"inner": {"share": "3141"}}, "shape.inner.share: a number is needed"),
        ({"inner": {"share": True}}, "shape.inner.share: a number is needed"),
        ({"inner": {"share": -3141.5}}, "shape.inner.share: a number of at least 0 is needed"),
        ({"inner": {"share": 3141.5}}, "shape.inner.share: a number of at most 1 is needed"),
        ({"inner": {"share": float("nan")}}, "shape.inner.share: a finite number is needed"),
        ({"inner": {"share": 10**400}}, "shape.inner.share: a number is needed"),
        ({"inner": {"names": "3141"}}, "shape.inner.names: a list is needed"),
        ({"inner": {"names": ["a", 3141]}}, "shape.inner.names.1: a string is needed"),
        ({"inner": {"names": ["3141"] * 3}}, "shape.inner.names: at most 2 entries are accepted"),
        ({"weights": {"other": 3141}}, "shape.weights.other: unknown word"),
    ],
)
def test_a_fault_names_its_field_and_no_value(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_model(Shape, {"size": 3, **change}, where="shape", context={"known"})
    assert str(caught.value) == message
    assert "3141" not in str(caught.value)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^shape\.size: the field is missing$"):
        parse_model(Shape, {}, where="shape")


class Limits(StrictModel):
    word: str = Field(default="ab", min_length=1, max_length=3)
    code: str = Field(default="ab", min_length=2)
    letter: str = Field(default="a", max_length=1)
    some: list[int] = Field(default=[1], min_length=1)
    pair: list[int] = Field(default=[1, 2], min_length=2, max_length=2)
    single: list[int] = Field(default=[], max_length=1)
    version: Literal[1] = 1
    kind: Literal["a", "b", "c"] = "a"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"word": ""}, "a non-empty string is needed"),
        ({"word": "abcd"}, "at most 3 characters are accepted"),
        ({"code": "a"}, "a string of at least 2 characters is needed"),
        ({"letter": "ab"}, "at most one character is accepted"),
        ({"some": []}, "a list of at least one entry is needed"),
        ({"pair": [1]}, "a list of at least 2 entries is needed"),
        ({"pair": [1, 2, 3]}, "at most 2 entries are accepted"),
        ({"single": [1, 2]}, "at most one entry is accepted"),
        ({"version": 2}, "must be 1"),
        ({"kind": "d"}, "must be one of ['a', 'b', 'c']"),
    ],
)
def test_limits_are_named(data: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Limits.model_validate(data)
    assert find_problem(caught.value).problem == problem


class Account(StrictModel):
    name: str
    key: str
    limit: int
    home: "Address"


class Address(StrictModel):
    street: str
    town: str


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "account: the fields name, key, limit and home are missing"),
        ({"key": "k", "limit": 1}, "account: the fields name and home are missing"),
        ({"limit": "3141", "home": {}}, "account: the fields name and key are missing"),
        ({"name": "n", "key": "k", "limit": 1, "home": {}}, "account.home: the fields street and town are missing"),
        ({"name": "n", "key": "k", "home": {}}, "account.limit: the field is missing"),
        ({"name": 3141, "key": "k"}, "account.name: a string is needed"),
    ],
)
def test_missing_fields_of_an_object_are_named_together(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_model(Account, data, where="account")
    assert str(caught.value) == message


@pytest.mark.parametrize("data", [None, 3141, [3141], "3141"])
def test_a_document_that_is_no_object_has_no_field(data: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Shape.model_validate(data)
    assert str(find_problem(caught.value)) == "an object is needed"
    assert str(find_problem(caught.value, container="a mapping")) == "a mapping is needed"


def test_files_of_objects_and_lists(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(ConfigError, match=r"x\.json: cannot be read: there is no such file$"):
        read_json_object(path)
    path.write_text('{"a": 1,\n}', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"x\.json: cannot be read as JSON \(line 2\)$"):
        read_json_object(path)
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"x\.json: an object is needed$"):
        read_json_object(path)
    assert read_json_list(path) == [1]
    path.write_text('{"a": 1}', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"x\.json: a list is needed$"):
        read_json_list(path)
    assert read_json_object(path) == {"a": 1}


def test_mappings_merge_at_any_depth() -> None:
    base = {"a": {"b": {"c": 1, "d": 2}}, "e": [1, 2], "f": {"g": 3}}
    changes = {"a": {"b": {"d": 4}, "h": 5}, "e": [6], "f": 7}
    assert merge_mappings(base, changes) == {"a": {"b": {"c": 1, "d": 4}, "h": 5}, "e": [6], "f": 7}
    assert base == {"a": {"b": {"c": 1, "d": 2}}, "e": [1, 2], "f": {"g": 3}}
