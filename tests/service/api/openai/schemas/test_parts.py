"""Parts of a content: each kind with its own fields, and an error at the type of any other."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from service.api.openai.schemas.parts import Content, ImagePart, ImageUrl, RefusalPart, TextPart, tag_part

CONTENT: TypeAdapter[Any] = TypeAdapter(Content)


def fail(content: Any) -> tuple[str, str]:
    """Type and message of the one error of a content."""
    with pytest.raises(ValidationError) as caught:
        CONTENT.validate_python(content)
    (error,) = caught.value.errors()
    return error["type"], error["msg"]


def test_a_content_is_a_text_or_a_list_of_parts() -> None:
    assert CONTENT.validate_python("a") == "a"
    parts = CONTENT.validate_python(
        [
            {"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "data:"}},
            {"type": "refusal", "refusal": "No."},
        ]
    )
    assert [type(part) for part in parts] == [TextPart, ImagePart, RefusalPart]


@pytest.mark.parametrize("content", [5, {}, None, True])
def test_anything_else_is_no_content(content: Any) -> None:
    assert fail(content)[0] == "content_kind"


def test_an_unsupported_part_is_named_if_we_know_it_and_never_quoted() -> None:
    assert fail([{"type": "input_audio", "input_audio": {}}]) == (
        "part_type",
        "Parts of type input_audio are not supported",
    )
    kind, message = fail([{"type": "SECRET"}])
    assert kind == "part_type"
    assert "SECRET" not in message
    assert fail(["a"])[0] == fail([None])[0] == "part_kind"


@pytest.mark.parametrize(
    ("part", "tag"),
    [
        ({"type": "text"}, "=text"),
        ({"type": "audio"}, "=unsupported"),
        ({}, "=unsupported"),
        (TextPart(type="text", text="a"), "=text"),
        ("a", None),
    ],
)
def test_the_type_of_a_part_selects_its_branch(part: Any, tag: str | None) -> None:
    assert tag_part(part) == tag


def test_a_picture_may_have_every_documented_detail_and_none_besides() -> None:
    for detail in ("auto", "low", "high", "original", None):
        ImageUrl.model_validate({"url": "data:", "detail": detail})
    for other in ("HIGH", "", 1):
        with pytest.raises(ValidationError):
            ImageUrl.model_validate({"url": "data:", "detail": other})
    ImageUrl.model_validate({"url": "data:", "format": "image/png"})
