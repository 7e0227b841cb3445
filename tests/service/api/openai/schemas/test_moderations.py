"""Inputs of a moderation: a text, several texts, or parts that belong together."""

from typing import Any

import pytest
from pydantic import ValidationError

from service.api.openai.schemas.moderations import ModerationRequest
from service.api.openai.schemas.parts import ImagePart, TextPart

TEXT: dict[str, Any] = {"type": "text", "text": "a"}
PICTURE: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:"}}


def read(given: Any) -> Any:
    return ModerationRequest.model_validate({"input": given}).input


def fail(given: Any) -> tuple[str, tuple[Any, ...]]:
    with pytest.raises(ValidationError) as caught:
        read(given)
    first = caught.value.errors()[0]
    return first["type"], first["loc"]


def test_a_text_texts_and_parts_are_read() -> None:
    assert read("a") == "a"
    assert read(["a", "b"]) == ["a", "b"]
    assert read([]) == []
    assert [type(part) for part in read([TEXT, PICTURE])] == [TextPart, ImagePart]


def test_a_list_has_items_of_the_kind_of_its_first() -> None:
    assert fail(["a", TEXT]) == ("string_type", ("input", "=texts", 1))
    assert fail([TEXT, "a"]) == ("part_kind", ("input", "=parts", 1))


@pytest.mark.parametrize("given", [5, {}, None, True])
def test_anything_else_is_no_input(given: Any) -> None:
    assert fail(given)[0] == "input_kind"


def test_a_refusal_is_a_part_of_conversations_only() -> None:
    kind, place = fail([{"type": "refusal", "refusal": "No."}])
    assert (kind, place) == ("part_type", ("input", "=parts", 0, "=unsupported", "type"))


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        ModerationRequest.model_validate({"input": "a", "language": "de"})
