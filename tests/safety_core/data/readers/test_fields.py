from typing import Any

import pytest
from pydantic import ValidationError

from safety_core.data.readers.fields import FilledText, FirstText, Identifier, OptionalText, SourceRecord


class Record(SourceRecord):
    text: FilledText = "a"
    note: OptionalText = None
    id: Identifier = "a"
    topic: FirstText = None
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


@pytest.mark.parametrize(
    ("given", "topic"), [("a", "a"), (["a"], "a"), (["a", "b"], "a"), ([], None), (None, None), ([None], None)]
)
def test_the_first_entry_of_a_list_counts(given: object, topic: str | None) -> None:
    assert Record.model_validate({"topic": given}).topic == topic


@pytest.mark.parametrize("given", [5, [5], [["a"]], {"a": "b"}])
def test_a_first_entry_that_is_no_text_is_an_error(given: object) -> None:
    assert fail(topic=given) == ("topic",)
