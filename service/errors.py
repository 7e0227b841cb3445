"""Maps exceptions to HTTP errors: one table and one JSON shape, which never quotes the request.

The shape is ``{"error": {"message", "type", "param", "code"}}``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from safety_core.errors import (
    DeadlineError,
    EngineError,
    ExhaustedError,
    GenerationError,
    InputError,
    JudgeOnlyError,
    NoVerdictError,
    OverloadedError,
    SafeVLMError,
    StoppedError,
    UnreadError,
)

INVALID = "invalid_request_error"
AUTHENTICATION = "authentication_error"
PERMISSION = "permission_error"
RATE_LIMIT = "rate_limit_error"
BUSY = "overloaded_error"
SERVER = "server_error"

_STATUS_OF_CODE = {
    "body_timeout": 408,
    "body_too_large": 413,
    "image_too_large": 413,
    "model_not_found": 404,
    "unsupported_endpoint": 404,
    "policy_not_allowed": 403,
    "content_type": 415,
    "image_format": 415,
    "invalid_field": 422,
    "unknown_field": 422,
}
"""Statuses of input errors that are not 400, by error code."""


class NotReadyError(SafeVLMError):
    """The server runs, but its guard has not passed its last self-check."""


class UnauditedError(EngineError):
    """The audit log could not be written, so the request is not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply:
    """One error as an HTTP response."""

    status: int
    message: str
    type: str
    code: str
    param: str | None = None
    retry_after_s: int | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> Mapping[str, str]:
        """``Retry-After`` if a retry can succeed; for a server that only judges, that it cannot, as OpenAI's clients
        read it."""
        if self.status == HTTPStatus.NOT_IMPLEMENTED:
            return {"x-should-retry": "false"}
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


_TABLE: tuple[tuple[type[SafeVLMError], ErrorReply], ...] = (
    (
        OverloadedError,
        ErrorReply(status=429, message="Too many requests are waiting.", type=BUSY, code="overloaded", retry_after_s=1),
    ),
    (
        DeadlineError,
        ErrorReply(status=503, message="The request took too long.", type=BUSY, code="timeout", retry_after_s=5),
    ),
    (
        ExhaustedError,
        ErrorReply(
            status=503,
            message="The server does not have enough free memory.",
            type=BUSY,
            code="out_of_memory",
            retry_after_s=5,
        ),
    ),
    (
        StoppedError,
        ErrorReply(status=503, message="The engine is stopping.", type=SERVER, code="stopping", retry_after_s=5),
    ),
    (
        GenerationError,
        ErrorReply(status=503, message="The reply could not be generated.", type=SERVER, code="generation_failed"),
    ),
    (
        UnauditedError,
        ErrorReply(
            status=503, message="The request could not be written to the audit log.", type=SERVER, code="unaudited"
        ),
    ),
    (
        JudgeOnlyError,
        ErrorReply(
            status=501,
            message="This server judges requests and generates no replies; use /v1/classify or /v1/moderations.",
            type=INVALID,
            code="guard_only",
        ),
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

_TOO_LONG_LETTERING = ErrorReply(
    status=422,
    message="The image has more lettering than is read.",
    type=INVALID,
    code="lettering_too_long",
    param="image",
)

INTERNAL = ErrorReply(status=500, message="An internal error occurred.", type=SERVER, code="internal")


def build_error_reply(exc: BaseException) -> ErrorReply:
    """Build the error that a client gets for an exception; an unknown exception gives no details."""
    if isinstance(exc, InputError):
        status = _STATUS_OF_CODE.get(exc.code, 400)
        return ErrorReply(status=status, message=exc.message, type=INVALID, code=exc.code, param=exc.param)
    if isinstance(exc, UnreadError) and exc.too_long:
        return _TOO_LONG_LETTERING
    if isinstance(exc, MemoryError):
        exc = ExhaustedError()
    reply = next((reply for kind, reply in _TABLE if isinstance(exc, kind)), INTERNAL)
    if isinstance(exc, OverloadedError):
        return replace(reply, retry_after_s=min(max(math.ceil(exc.retry_after_s), 1), 60))
    return reply


def rename_field(reply: ErrorReply, names: Mapping[str, str]) -> ErrorReply:
    """Return an error with the name that its field has in the request of an endpoint.

    Args:
        reply: the error, with the guard's name of the field.
        names: the guard's name of a field → the endpoint's.
    """
    if reply.param is None or reply.param not in names or reply.code == "unknown_field":
        return reply
    return replace(reply, param=names[reply.param])


def build_status_reply(status: int) -> ErrorReply:
    """Build the error for a status of the HTTP layer itself (unknown path, method not allowed)."""
    messages = {
        404: ("This path does not exist.", "not_found"),
        405: ("This path does not support the method.", "method_not_allowed"),
    }
    message, code = messages.get(status, ("The request cannot be served.", "bad_request"))
    return ErrorReply(status=status, message=message, type=INVALID, code=code)
