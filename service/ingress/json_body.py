"""Parses and validates JSON bodies, in any encoding that clients send. Knows no HTTP."""

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from safety_core.errors import InputError
from service.ingress.validation import create_field_error

_Model = TypeVar("_Model", bound=BaseModel)

_MARKS = (b",", b"[", b"{")
"""Characters that begin or separate the elements of a JSON text."""


def parse_json(body: bytes | bytearray, model: type[_Model], *, max_elements: int, charset: str | None) -> _Model:
    """Parse and validate a JSON body.

    An element costs hundreds of bytes once it is parsed, and an error object if it is invalid: 20 megabytes of
    ``1,1,1`` would become gigabytes and take many seconds. So elements are counted before any is parsed.

    Args:
        body: the bytes.
        model: the schema.
        max_elements: maximum number of commas and opening brackets, also those within strings.
        charset: the encoding that the client declared; detected if None.

    Raises:
        InputError: ``body_too_large``, ``body_malformed``, or the schema does not match.
    """
    text = _convert_to_utf8(body, charset)
    if sum(text.count(mark) for mark in _MARKS) > max_elements:
        raise InputError("The JSON body has too many elements.", code="body_too_large")
    try:
        return model.model_validate_json(text)
    except ValidationError as exc:
        raise create_field_error(exc, model, lambda: from_json(text)) from exc


def _convert_to_utf8(body: bytes | bytearray, charset: str | None) -> bytes | bytearray:
    """Convert a JSON body to UTF-8 without a byte order mark."""
    charset = charset or json.detect_encoding(body)
    if charset in ("utf-8", "utf8", "us-ascii", "ascii"):
        return body.removeprefix(b"\xef\xbb\xbf")
    try:
        return body.decode(charset).removeprefix("\ufeff").encode()
    except UnicodeError as exc:
        raise InputError(f"The body is not valid {charset}.", code="body_malformed") from exc
