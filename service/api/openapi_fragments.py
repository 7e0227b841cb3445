"""What OpenAPI cannot infer: bodies are read by hand, so that they can be counted while they arrive."""

from typing import Any

from pydantic import BaseModel

from service.api.openai.schemas.replies import CompletionChunk
from service.api.schemas.replies import AssessmentEvent, ChatReply, DeltaEvent, ErrorOut
from service.api.schemas.requests import NOT_BLANK, FormRequest, JsonRequest
from service.ingress.body import JSON
from service.ingress.multipart import MULTIPART
from service.sse import EVENT_STREAM

_Responses = dict[int | str, dict[str, Any]]

NOT_READY: _Responses = {503: {"model": ErrorOut, "description": "Not ready, stopping, or too slow"}}

ERRORS: _Responses = {
    400: {"model": ErrorOut, "description": "Bad image, prompt or option"},
    403: {"model": ErrorOut, "description": "The policy cannot be chosen, or the API key lacks the scope"},
    408: {"model": ErrorOut, "description": "The body took too long to arrive"},
    413: {"model": ErrorOut, "description": "Body or image too large"},
    415: {"model": ErrorOut, "description": "Unsupported media type or image format"},
    422: {"model": ErrorOut, "description": "Unknown or malformed field"},
    429: {"model": ErrorOut, "description": "Overloaded; see Retry-After"},
    **NOT_READY,
}
"""Of every path that reaches the model."""

OPENAI_ERRORS: _Responses = {status: error for status, error in ERRORS.items() if status not in (413, 415)}
"""Errors of the OpenAI-compatible paths, which send 400 instead of 413 and 415."""

NO_MODEL: _Responses = {404: {"model": ErrorOut, "description": "No such model is served"}}

BAD_PATH: _Responses = {
    400: {"model": ErrorOut, "description": "The path contains control characters or invalid bytes"}
}

MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif")
"""What a picture may be."""

_COMPONENT = "#/components/schemas/{model}"


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """One event: its ``event`` line, and the JSON that its ``data`` line holds."""
    properties = {"event": {"const": name}, "data": _holding(data)}
    return {"title": name, "type": "object", "properties": properties, "required": ["event", "data"]}


def _holding(data: dict[str, Any]) -> dict[str, Any]:
    """A text that is JSON."""
    return {"type": "string", "contentMediaType": JSON, "contentSchema": data}


def _inline(model: type[BaseModel]) -> dict[str, Any]:
    """Schema of a model that no route returns; what it refers to, replies refer to as well."""
    schema = model.model_json_schema(ref_template=_COMPONENT)
    schema.pop("$defs", None)
    return schema


EVENTS: _Responses = {
    200: {
        "description": "The reply, whole or as events",
        "content": {
            EVENT_STREAM: {
                "schema": {
                    "description": (
                        "With `stream`: Server-Sent Events. One `assessment`, any number of `delta`, then one `done`, "
                        "or one `error` in place of whatever is still missing."
                    ),
                    "oneOf": [
                        _event("assessment", _inline(AssessmentEvent)),
                        _event("delta", _inline(DeltaEvent)),
                        _event("done", {"$ref": _COMPONENT.format(model=ChatReply.__name__)}),
                        _event("error", {"$ref": _COMPONENT.format(model=ErrorOut.__name__)}),
                    ],
                },
            }
        },
    }
}
"""A chat's reply, in the form that FastAPI cannot infer."""


MODEL_LINKS: _Responses = {
    200: {
        "description": "The one model that is served",
        "links": {
            f"{operation}-with-it": {"operationId": operation, "requestBody": {"model": "$response.body#/data/0/id"}}
            for operation in ("completions", "moderations")
        },
    }
}
"""What is served, and where its name is asked for."""

MODEL_NAME: dict[str, Any] = {
    "parameters": [
        {
            "name": "model",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"},
        }
    ]
}
"""The name at the end of a path: a checkpoint's folder."""

EXPOSITION: _Responses = {
    200: {
        "description": "The metrics, in the format that is accepted",
        "content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/openmetrics-text")},
    }
}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """A body that is JSON and nothing else."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": _whole(model)}}}}


def _whole(model: type[BaseModel]) -> dict[str, Any]:
    """Schema of a model that FastAPI never sees, with what it refers to inside."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})
    return {key: _resolved(value, parts) for key, value in schema.items()}


def _resolved(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(parts[schema["$ref"].rsplit("/", 1)[1]], parts)
    return {key: _resolved(value, parts) for key, value in schema.items() if key != "discriminator"}


CHUNKS: _Responses = {
    200: {
        "description": "The completion, whole or as chunks",
        "links": {
            "go-on": {
                "operationId": "completions",
                "description": "The conversation goes on.",
                "requestBody": {
                    "model": "$response.body#/model",
                    "messages": [
                        {"role": "user", "content": "What is it?"},
                        {"role": "assistant", "content": "$response.body#/choices/0/message/content"},
                        {"role": "user", "content": "And what else?"},
                    ],
                },
            }
        },
        "content": {
            EVENT_STREAM: {
                "schema": {
                    "description": (
                        "With `stream`: `data` lines with a chunk each, then `data: [DONE]`, or an error in place of "
                        "whatever is still missing."
                    ),
                    "type": "object",
                    "properties": {
                        "data": {
                            "oneOf": [
                                {"const": "[DONE]"},
                                _holding(_whole(CompletionChunk)),
                                _holding({"$ref": _COMPONENT.format(model=ErrorOut.__name__)}),
                            ]
                        }
                    },
                    "required": ["data"],
                }
            }
        },
    }
}
"""A completion, in the form that FastAPI cannot infer."""


def request_body(*, answered: bool) -> dict[str, Any]:
    """The two bodies that ``/v1/chat`` and ``/v1/classify`` take.

    Args:
        answered: whether a reply follows, which requires a prompt if there are no images.
    """
    form = _without_null(FormRequest.model_json_schema())
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "Image files."}
    form["properties"] = {"image": files, **form["properties"]}
    body = JsonRequest.model_json_schema()
    for schema, images in ((form, "image"), (body, "images")):
        prompt: dict[str, Any] = {**NOT_BLANK} if answered else {"type": "string", "minLength": 1}
        schema["anyOf"] = [
            {"properties": {"prompt": prompt}, "required": ["prompt"]},
            {"properties": {images: {"type": "array", "minItems": 1}}, "required": [images]},
        ]
    multipart = {"schema": form, "encoding": {"image": {"contentType": ", ".join(MEDIA_TYPES)}}}
    return {"requestBody": {"required": True, "content": {MULTIPART: multipart, JSON: {"schema": body}}}}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A form's schema: a field of it can be left out, but not be ``null``."""
    fields = {name: {**field} for name, field in schema["properties"].items()}
    for field in fields.values():
        if "anyOf" in field:
            field |= next(kind for kind in field.pop("anyOf") if kind != {"type": "null"})
            del field["default"]
    return {**schema, "properties": fields}
