"""Types of the fields in records of public data sets."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


class SourceRecord(BaseModel):
    """Base of the records of public data sets: declared fields are typed strictly, others are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


def _check_filled(text: str) -> str:
    if not text.strip():
        raise ValueError("the field is empty")
    return text


def _check_not_blank(text: str | None) -> str | None:
    if text and not text.strip():
        raise ValueError("the field is empty")
    return text


def _convert_number(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def list_entries(value: object) -> object:
    """Put a single value into a list, before it is validated."""
    return value if isinstance(value, list) or value is None else [value]


FilledText = Annotated[str, AfterValidator(_check_filled)]
"""A string that is not blank."""

OptionalText = Annotated[str | None, AfterValidator(_check_not_blank)]
"""A string that is not blank; an empty string or None if there is none."""

Identifier = Annotated[FilledText, BeforeValidator(_convert_number)]
"""A string; an integer is converted to one."""

Texts = Annotated[list[FilledText] | None, BeforeValidator(list_entries)]
"""A list of strings that are not blank; a single one becomes a list. None for None."""

Identifiers = Annotated[list[Identifier] | None, BeforeValidator(list_entries)]
"""A list of identifiers; a single one becomes a list. None for None."""
