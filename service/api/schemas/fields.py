"""Types of request fields that several schemas share, and their validation. Knows no endpoint."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, JsonValue, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from service.ingress.validation import BRANCH, NOT_SUPPORTED

SEED_LIMIT = 2**63

_JSON_TYPES = {str: "string", list: "array", dict: "object", bool: "boolean", int: "number", float: "number"}


def tag_json_type(value: object) -> str:
    """Return the tag of a union's branch for the JSON type of a value, such as ``=string``.

    Without tags pydantic tries every branch and reports the errors of all of them, the first branch's first.
    """
    return BRANCH + _JSON_TYPES.get(type(value), "null")


@dataclass(frozen=True, slots=True, eq=False)  # typing deduplicates equal annotations, and 0 == False
class Neutral:
    """Annotation of an unsupported field: accepted with values that change nothing, rejected with others.

    ``null`` is always neutral. A ``Literal`` would not work: it treats 0 as False, and its error does not mention
    support.
    """

    values: tuple[JsonValue, ...]
    """Neutral values besides ``null``."""

    members: bool = False
    """Whether an object is also neutral if the values of all its members are."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Build the schema that validates by comparison."""
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Build the JSON schema: an enumeration of the neutral values."""
        neutral: JsonSchemaValue = {"enum": [None, *self.values]}
        if not self.members:
            return neutral
        return {"anyOf": [neutral, {"type": "object", "additionalProperties": neutral}]}

    def _check(self, value: Any) -> Any:
        if self._is_neutral(value):
            return value
        if self.members and isinstance(value, dict) and all(map(self._is_neutral, value.values())):
            return value
        raise PydanticCustomError(NOT_SUPPORTED, "{neutral}", {"neutral": self._describe()})

    def _is_neutral(self, value: object) -> bool:
        return value is None or any(
            isinstance(value, bool) == isinstance(neutral, bool) and value == neutral for neutral in self.values
        )

    def _describe(self) -> str:
        """Describe the neutral values, such as ``none or auto``; ``null`` is named only if there is no other."""
        shown = [value if isinstance(value, str) and value else json.dumps(value) for value in self.values]
        return "empty or null" if self.members else " or ".join(shown) or "null"


def accept_only(*values: JsonValue) -> Neutral:
    """Annotate a field that may be ``null`` or one of ``values``."""
    return Neutral(values)


EMPTY = Neutral(("", [], {}), members=True)
"""A field that may be ``null``, empty, or an object of such values, because other values could be unjudged text."""

PolicyName = Annotated[
    str | None,
    Field(max_length=64, description="Name of the policy to apply, if the operator lets clients choose one."),
]
Language = Annotated[
    str | None,
    Field(
        max_length=64,
        description=(
            "Language (BCP 47) of a refusal; overrides `Accept-Language`. "
            "Without a translation, the policy's default text is sent."
        ),
    ),
]


ImageSource = Annotated[str, Field(json_schema_extra={"format": "image"})]
"""Base64, a base64 data URL, or an https URL on a host that the operator allows."""


def read_whole_numbers(*fields: str) -> Any:
    """Create a validator that reads ``5.0`` as 5, as JSON Schema does and strict types do not."""

    def read(value: object) -> object:
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return field_validator(*fields, mode="before")(read)
