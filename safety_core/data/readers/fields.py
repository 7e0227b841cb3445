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


def _take_first(value: object) -> object:
    return next(iter(value), None) if isinstance(value, list) else value


FilledText = Annotated[str, AfterValidator(_check_filled)]
"""A string that is not blank."""

OptionalText = Annotated[str | None, AfterValidator(_check_not_blank)]
"""A string that is not blank; an empty string or None if there is none."""

Identifier = Annotated[FilledText, BeforeValidator(_convert_number)]
"""A string; an integer is converted to one."""

FirstText = Annotated[str | None, BeforeValidator(_take_first)]
"""A string, or the first entry of a list of strings; None for None or an empty list."""
