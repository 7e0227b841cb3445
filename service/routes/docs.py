"""What OpenAPI cannot infer: bodies are read by hand, so that they can be counted while they arrive."""

from typing import Any

from pydantic import BaseModel

from service.body import JSON, MULTIPART
from service.openai_schemas import CompletionChunk
from service.schemas import AssessmentEvent, ChatReply, DeltaEvent, ErrorOut, JsonRequest, Options
from service.streaming import EVENT_STREAM

_Responses = dict[int | str, dict[str, Any]]

NOT_READY: _Responses = {503: {"model": ErrorOut, "description": "Not ready, stopping, or too slow"}}

ERRORS: _Responses = {
    400: {"model": ErrorOut, "description": "Bad image, prompt or option"},
    408: {"model": ErrorOut, "description": "The body took too long to arrive"},
    413: {"model": ErrorOut, "description": "Body or image too large"},
    415: {"model": ErrorOut, "description": "Unsupported media type or image format"},
    422: {"model": ErrorOut, "description": "Unknown or malformed field"},
    429: {"model": ErrorOut, "description": "Overloaded; see Retry-After"},
    500: {"model": ErrorOut, "description": "Something unforeseen, told without details"},
    **NOT_READY,
}

_COMPONENT = "#/components/schemas/{model}"


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """One event: its ``event`` line, and the JSON on its ``data`` line."""
    properties = {"event": {"const": name}, "data": data}
    return {"title": name, "type": "object", "properties": properties, "required": ["event", "data"]}


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
        "content": {
            EVENT_STREAM: {
                "schema": {
                    "description": "With `stream`: `data` lines with a chunk each, then `data: [DONE]`.",
                    **_whole(CompletionChunk),
                }
            }
        },
    }
}
"""A completion, in the form that FastAPI cannot infer."""


def request_body() -> dict[str, Any]:
    """The two bodies that ``/v1/chat`` and ``/v1/classify`` take."""
    form = Options.model_json_schema()
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "Image files."}
    form["properties"] = {"image": files, **form["properties"]}
    content = {MULTIPART: {"schema": form}, JSON: {"schema": JsonRequest.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
