"""From errors to HTTP: one table, one shape, and nothing of the request in it.

``{"error": {"message", "type", "param", "code"}}``
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from typing import Any

from pydantic import BaseModel, ValidationError

from safety_core.errors import (
    DeadlineError,
    EngineError,
    ExhaustedError,
    GenerationError,
    InputError,
    NoVerdictError,
    OverloadedError,
    SafeVLMError,
    StoppedError,
)

INVALID = "invalid_request_error"
BUSY = "overloaded_error"
SERVER = "server_error"

_STATUS_OF_CODE = {
    "body_timeout": 408,
    "body_too_large": 413,
    "image_too_large": 413,
    "model_not_found": 404,
    "policy_not_allowed": 403,
    "content_type": 415,
    "image_format": 415,
    "invalid_field": 422,
    "unknown_field": 422,
}
"""Where an InputError is not a plain 400."""


class NotReadyError(SafeVLMError):
    """The server is up, but its guard has not passed its last self-check."""


class UnauditedError(EngineError):
    """The audit log could not be written; so the request is not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply:
    """One error as HTTP sends it."""

    status: int
    message: str
    type: str
    code: str
    param: str | None = None
    retry_after_s: int | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that every error is sent as."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> Mapping[str, str]:
        """``Retry-After`` where it makes sense to come back."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


_TABLE: tuple[tuple[type[SafeVLMError], ErrorReply], ...] = (
    (
        OverloadedError,
        ErrorReply(status=429, message="Too many requests are waiting.", type=BUSY, code="overloaded", retry_after_s=1),
    ),
    (
        DeadlineError,
        ErrorReply(status=503, message="This took too long.", type=BUSY, code="timeout", retry_after_s=5),
    ),
    (
        ExhaustedError,
        ErrorReply(
            status=503, message="There was not enough memory.", type=BUSY, code="out_of_memory", retry_after_s=5
        ),
    ),
    (
        StoppedError,
        ErrorReply(status=503, message="The engine is stopping.", type=SERVER, code="stopping", retry_after_s=5),
    ),
    (
        GenerationError,
        ErrorReply(status=503, message="The reply could not be made.", type=SERVER, code="generation_failed"),
    ),
    (
        UnauditedError,
        ErrorReply(status=503, message="The request could not be recorded.", type=SERVER, code="unaudited"),
    ),
    (EngineError, ErrorReply(status=503, message="The engine failed.", type=SERVER, code="engine_failed")),
    (
        NoVerdictError,
        ErrorReply(status=503, message="The request could not be judged.", type=SERVER, code="no_verdict"),
    ),
    (
        NotReadyError,
        ErrorReply(status=503, message="The server is not ready.", type=SERVER, code="not_ready", retry_after_s=5),
    ),
)

INTERNAL = ErrorReply(status=500, message="Something went wrong on our side.", type=SERVER, code="internal")


def reply_to(exc: BaseException) -> ErrorReply:
    """How an exception is told to a client; an unknown one says nothing about itself."""
    if isinstance(exc, InputError):
        status = _STATUS_OF_CODE.get(exc.code, 400)
        return ErrorReply(status=status, message=exc.message, type=INVALID, code=exc.code, param=exc.param)
    reply = next((reply for kind, reply in _TABLE if isinstance(exc, kind)), INTERNAL)
    if isinstance(exc, OverloadedError):
        return replace(reply, retry_after_s=min(max(math.ceil(exc.retry_after_s), 1), 60))
    return reply


def reply_to_status(status: int) -> ErrorReply:
    """How a refusal of the HTTP layer itself (no such route, wrong method) is told."""
    messages = {404: ("There is no such path.", "not_found"), 405: ("The method is not allowed.", "method_not_allowed")}
    message, code = messages.get(status, ("The request cannot be served.", "bad_request"))
    return ErrorReply(status=status, message=message, type=INVALID, code=code)


def invalid_fields(exc: ValidationError, model: type[BaseModel]) -> InputError:
    """The first complaint of a validation, without the values and the names that the client sent.

    Args:
        exc: the complaints.
        model: what the request should have been. Its fields may be named; a key of a mapping is the client's.
    """
    error = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    if error["type"] == "extra_forbidden":
        return InputError("The request has an unknown field.", code="unknown_field")
    if error["type"] == "json_invalid":
        return InputError("The body is not valid JSON.", code="body_malformed")
    known = _field_names(model)
    place = takewhile(lambda part: isinstance(part, int) or part in known, error["loc"])
    return InputError(f"{error['msg']}.", code="invalid_field", param=".".join(map(str, place)) or None)


@cache
def _field_names(model: type[BaseModel]) -> frozenset[str]:
    """Names of the model's fields, and of those of the models within."""
    return frozenset(_properties(model.model_json_schema()))


def _properties(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _properties(part)
