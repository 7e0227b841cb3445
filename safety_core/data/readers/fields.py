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
    return str(value) if isinstance(value, int) else value


def _take_first(value: object) -> object:
    return next(iter(value), None) if isinstance(value, list) else value


FilledText = Annotated[str, AfterValidator(_check_filled)]
"""A text that does not consist of white space alone."""

OptionalText = Annotated[str | None, AfterValidator(_check_not_blank)]
"""A text, or an empty text or None for none; not white space alone."""

Identifier = Annotated[FilledText, BeforeValidator(_convert_number)]
"""A text or an integer, read as a text."""

FirstText = Annotated[str | None, BeforeValidator(_take_first)]
"""A text, the first entry of a list of texts, or None, also for an empty list."""
