"""From errors to HTTP: one table, one shape, and nothing of the request in it.

``{"error": {"message", "type", "param", "code"}}``
"""

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
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
from service.api.schemas import BRANCH, NOT_SUPPORTED

INVALID = "invalid_request_error"
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


def reply_to_status(status: int) -> ErrorReply:
    """How a refusal of the HTTP layer itself (no such route, wrong method) is told."""
    messages = {404: ("There is no such path.", "not_found"), 405: ("The method is not allowed.", "method_not_allowed")}
    message, code = messages.get(status, ("The request cannot be served.", "bad_request"))
    return ErrorReply(status=status, message=message, type=INVALID, code=code)


def invalid_fields(
    exc: ValidationError, model: type[BaseModel], document: Callable[[], object] = dict, *, named: Container[str] = ()
) -> InputError:
    """The first validation error, without values and names that the client sent.

    Args:
        exc: the errors.
        model: the request's schema. The message may name its fields, but not keys of mappings, which are the client's.
        document: returns the request as received; called if the error is in one of several pictures.
        named: further field names that the message may contain, although the schema lacks them.
    """
    error = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    kind, location = error["type"], error["loc"]
    if kind == "json_invalid":
        return InputError("The body is not valid JSON.", code="body_malformed")
    known = _field_names(model)
    # A branch's tag is ours and says nothing to the client.
    steps = [step for step in location if isinstance(step, int) or not step.startswith(BRANCH)]
    unknown = steps.pop() if kind == "extra_forbidden" else None
    steps = list(takewhile(lambda step: isinstance(step, int) or step in known, steps))
    place = ".".join(map(str, steps))
    if unknown is not None:
        if unknown not in known and unknown not in named:
            message = f"There is an unknown field in {place}." if place else "The request has an unknown field."
            return InputError(message, code="unknown_field", param=place or None)
        place = ".".join((*filter(None, [place]), str(unknown)))
        return InputError(f"Unknown field: {place}.", code="unknown_field", param=place)
    if kind == NOT_SUPPORTED:
        message = f"{steps[-1]} is not supported; it may only be {error['msg']}."
    else:
        message = f"{place}: {error['msg']}." if place else f"{error['msg']}."  # some clients show nothing else
    return InputError(f"{_picture_named(document, steps)}{message}", code="invalid_field", param=place or None)


def _picture_named(document: Callable[[], object], steps: Sequence[str | int]) -> str:
    """Prefix of a message that says which of several pictures contains the error; empty if none does."""
    if not any(step in ("image_url", "images") for step in steps):
        return ""
    places = list(_picture_places(document()))
    inside = [number for number, place in enumerate(places, 1) if tuple(steps[: len(place)]) == place]
    return numbered(inside[0], len(places)) if inside else ""


def numbered(number: int, pictures: int) -> str:
    """Prefix of a message about one picture, counted from 1; empty if there is only one."""
    return f"Picture {number}: " if pictures > 1 else ""


def _picture_places(document: object) -> Iterator[tuple[str | int, ...]]:
    """Places of all pictures in a JSON request of any of our paths, in the order in which the model reads them."""
    fields = document if isinstance(document, dict) else {}
    yield from (("images", index) for index, _ in _items(fields.get("images")))
    for index, message in _items(fields.get("messages")):
        if isinstance(message, dict):
            yield from (("messages", index, "content", part) for part in _image_parts(message.get("content")))
    yield from (("input", part) for part in _image_parts(fields.get("input")))


def _image_parts(content: object) -> Iterator[int]:
    return (index for index, part in _items(content) if isinstance(part, dict) and part.get("type") == "image_url")


def _items(value: object) -> Iterable[tuple[int, object]]:
    return enumerate(value) if isinstance(value, list) else ()


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
