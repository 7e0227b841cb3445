"""One message of a conversation."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from service.api.openai.schemas.fields import CacheHint, Empty, Label, Null, Off, RequestModel
from service.api.openai.schemas.parts import Content


def _restrict_parts(*kinds: str) -> JsonValue:
    """Build the schema of content that accepts only some types of parts."""
    return {
        "anyOf": [{"type": ["string", "null"]}, {"items": {"properties": {"type": {"enum": list(kinds)}}}}],
    }


_NO_REFUSAL: JsonValue = {"enum": [None, ""]}

_BY_ROLE: JsonValue = [
    {
        "properties": {
            "role": {"const": "user"},
            "content": _restrict_parts("text", "image_url"),
            "refusal": _NO_REFUSAL,
        }
    },
    {
        "properties": {
            "role": {"enum": ["system", "developer"]},
            "content": _restrict_parts("text"),
            "refusal": _NO_REFUSAL,
        }
    },
    {"properties": {"role": {"const": "assistant"}, "content": _restrict_parts("text", "refusal")}},
]
"""Content that :func:`service.api.openai.messages.convert_messages` accepts from each role."""


def _reject_tool_role(role: object) -> object:
    if role in ("tool", "function"):
        raise PydanticCustomError("tool_role", "Tools are not supported, and neither are messages with this role")
    return role


class Message(RequestModel):
    """One message of a conversation."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _BY_ROLE})

    role: Annotated[Literal["user", "system", "developer", "assistant"], BeforeValidator(_reject_tool_role)]
    content: Content | None = None
    refusal: str | None = Field(default=None, description="Text of an assistant's refusal.")
    name: Label | None = None
    id: Label | None = None
    cache_control: CacheHint | None = None

    tool_calls: Empty = None
    tool_call_id: Empty = None
    function_call: Null = None
    annotations: Empty = None
    audio: Null = None
    parsed: Null = None

    reasoning: Empty = None
    reasoning_content: Empty = None
    reasoning_details: Empty = None
    reasoning_items: Empty = None
    thinking: Empty = None
    thinking_blocks: Empty = None
    images: Empty = None
    provider_specific_fields: Empty = None
    additional_kwargs: Empty = None
    metadata: Empty = None
    prefix: Off = None
    partial: Off = None
