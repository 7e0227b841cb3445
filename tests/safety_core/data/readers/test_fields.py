from typing import Any

import pytest
from pydantic import ValidationError

from safety_core.data.readers.fields import FilledText, Identifier, Identifiers, OptionalText, SourceRecord, Texts


class Record(SourceRecord):
    text: FilledText = "a"
    note: OptionalText = None
    id: Identifier = "a"
    texts: Texts = None
    ids: Identifiers = None
    safe: bool = False


def fail(**fields: Any) -> tuple[str | int, ...]:
    """Place of the one error of a record."""
    with pytest.raises(ValidationError) as caught:
        Record.model_validate(fields)
    (error,) = caught.value.errors()
    return error["loc"]


def test_undeclared_fields_are_ignored() -> None:
    assert Record.model_validate({"text": "b", "more": 5}) == Record(text="b")


@pytest.mark.parametrize("safe", ["true", 1, None])
def test_declared_fields_are_typed_strictly(safe: object) -> None:
    assert fail(safe=safe) == ("safe",)


@pytest.mark.parametrize("text", ["", "  \n\t", None, 5, ["a"]])
def test_a_needed_text_has_something_besides_white_space(text: object) -> None:
    assert fail(text=text) == ("text",)
    assert Record.model_validate({"text": " a "}).text == " a "


@pytest.mark.parametrize("note", ["", None, " a "])
def test_an_optional_text_may_be_empty(note: str | None) -> None:
    assert Record.model_validate({"note": note}).note == note


@pytest.mark.parametrize("note", [" ", "\n", 5])
def test_an_optional_text_is_not_white_space_alone(note: object) -> None:
    assert fail(note=note) == ("note",)


@pytest.mark.parametrize(("given", "name"), [("a", "a"), (5, "5"), (0, "0"), (-1, "-1")])
def test_an_identifier_may_be_an_integer(given: object, name: str) -> None:
    assert Record.model_validate({"id": given}).id == name


@pytest.mark.parametrize("given", ["", " ", None, 1.5, True, [5]])
def test_nothing_else_is_an_identifier(given: object) -> None:
    assert fail(id=given) == ("id",)


@pytest.mark.parametrize(("given", "texts"), [("a", ["a"]), (["a", "b"], ["a", "b"]), ([], []), (None, None)])
def test_a_single_text_becomes_a_list(given: object, texts: list[str] | None) -> None:
    assert Record.model_validate({"texts": given}).texts == texts


@pytest.mark.parametrize("given", [5, {"a": "b"}, " "])
def test_a_list_of_texts_holds_nothing_else(given: object) -> None:
    assert fail(texts=given) == ("texts", 0)
    assert fail(texts=["a", given]) == ("texts", 1)


def test_identifiers_may_be_integers_and_one_or_many() -> None:
    assert Record.model_validate({"ids": 5}).ids == ["5"]
    assert Record.model_validate({"ids": [5, "a"]}).ids == ["5", "a"]
    assert fail(ids=[True]) == ("ids", 0)
