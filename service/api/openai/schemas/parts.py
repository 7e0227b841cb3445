"""Content of messages and moderation inputs: text, images and refusals."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from service.api.openai.schemas.fields import CacheHint, Empty, Label, RequestModel
from service.api.schemas.fields import ImageSource, tag_json_type
from service.ingress.validation import BRANCH

_UNSUPPORTED_PARTS = frozenset(
    {
        "audio", "document", "file", "function", "image", "image_file", "input_audio", "input_file", "input_image",
        "input_text", "input_video", "output_text", "reasoning", "redacted_thinking", "refusal", "thinking",
        "tool_call", "tool_result", "tool_use", "video", "video_url",
    }
)  # fmt: skip
"""Types of content parts of this and related APIs, which error messages may name."""


class _PartBase(RequestModel):
    """Fields that any part may have."""

    id: Label | None = None
    prompt_cache_breakpoint: CacheHint | None = None
    cache_control: CacheHint | None = None
    annotations: Empty = None
    citations: Empty = None


class TextPart(_PartBase):
    """A piece of text."""

    type: Literal["text"]
    text: str


class ImageUrl(RequestModel):
    """URL of an image: ``data:``, or ``https:`` if the operator allows it."""

    url: ImageSource
    detail: Literal["auto", "low", "high", "original"] | None = Field(
        default=None, description="Accepted but has no effect: every image is resized to the model's input size."
    )
    format: Label | None = None


class ImagePart(_PartBase):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl


class RefusalPart(_PartBase):
    """The text of an assistant's refusal."""

    type: Literal["refusal"]
    refusal: str


def _reject_part(value: object) -> object:
    """Reject a part of an unsupported type; the message names the type if it is in a fixed list."""
    if isinstance(value, str) and value in _UNSUPPORTED_PARTS:
        raise PydanticCustomError("part_type", "Parts of type {type} are not supported", {"type": value})
    raise PydanticCustomError("part_type", "The type of this part is unknown")


class UnsupportedPart(BaseModel):
    """A part of any other type: always an error, at its field ``type``."""

    type: Annotated[str, BeforeValidator(_reject_part)]


def tag_part(value: object) -> str | None:
    """Return the union tag of a part; None if the value is neither an object nor a part."""
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    if kind is None and not isinstance(value, Mapping):
        return None
    return BRANCH + (kind if kind in ("text", "image_url", "refusal") else "unsupported")


NOT_A_PART: dict[str, Any] = {
    "custom_error_type": "part_kind",
    "custom_error_message": "Input should be an object with a type",
}

Part = Annotated[
    Annotated[TextPart, Tag("=text")]
    | Annotated[ImagePart, Tag("=image_url")]
    | Annotated[RefusalPart, Tag("=refusal")]
    | SkipJsonSchema[Annotated[UnsupportedPart, Tag("=unsupported")]],
    Discriminator(tag_part, **NOT_A_PART),
]

Content = Annotated[
    Annotated[str, Tag("=string")] | Annotated[list[Part], Tag("=array")],
    Discriminator(
        tag_json_type,
        custom_error_type="content_kind",
        custom_error_message="Input should be a string or an array of parts",
    ),
]
