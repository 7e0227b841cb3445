"""Request of ``/v1/moderations``."""

from typing import Annotated

from pydantic import Discriminator, Field, Tag
from pydantic.json_schema import SkipJsonSchema

from service.api.openai.schemas.fields import RequestModel
from service.api.openai.schemas.parts import NOT_A_PART, ImagePart, TextPart, UnsupportedPart, tag_part
from service.api.schemas.fields import PolicyName, tag_json_type


def _tag_moderation_part(value: object) -> str | None:
    tag = tag_part(value)
    return "=unsupported" if tag == "=refusal" else tag


ModerationPart = Annotated[
    Annotated[TextPart, Tag("=text")]
    | Annotated[ImagePart, Tag("=image_url")]
    | SkipJsonSchema[Annotated[UnsupportedPart, Tag("=unsupported")]],
    Discriminator(_tag_moderation_part, **NOT_A_PART),
]


def _tag_input(value: object) -> str:
    """Return the union tag of an input: a string, strings, or parts, by the first item of a list."""
    if isinstance(value, list):
        return "=parts" if value and not isinstance(value[0], str) else "=texts"
    return tag_json_type(value)


ModerationInput = Annotated[
    Annotated[str, Tag("=string")]
    | Annotated[list[str], Tag("=texts")]
    | Annotated[list[ModerationPart], Tag("=parts")],
    Discriminator(
        _tag_input,
        custom_error_type="input_kind",
        custom_error_message="Input should be a string, an array of strings or an array of parts",
    ),
]


class ModerationRequest(RequestModel):
    """A request for ``/v1/moderations``: one or several texts, or texts and images that are judged together."""

    input: ModerationInput = Field(examples=["What is it?"])
    model: str | None = Field(
        default=None,
        max_length=256,
        description=(
            "Name of the served checkpoint. Names of OpenAI's moderation models, also with dates, select it as well."
        ),
    )
    policy: PolicyName = None
