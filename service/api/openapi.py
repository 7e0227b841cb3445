"""The OpenAPI document of one server: what its routes say, and what stands in front of all of them.

A route knows neither that every reply carries the name of its request, nor that a key may be asked for, nor what the
operator allows. Knows no request.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from service.api.openai.schemas import MODERATION_MODELS
from service.api.requests import LOWERED
from service.middleware.auth import OPEN, SCOPES
from service.settings import Settings

_Object = dict[str, Any]

_NAMED: _Object = {"X-Request-Id": {"description": "Identifier of the request, as in the logs.", "required": True}}
_RETRY: _Object = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_LOWERED: _Object = {
    LOWERED: {
        "description": "The applied limit on reply tokens, if the request asked for more.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_CHALLENGE: _Object = {"WWW-Authenticate": {"description": "How to send an API key.", "required": True}}

_CLAMPING = ("/v1/chat", "/v1/chat/completions")
"""Paths whose replies have a token limit."""

_SCHEMES: _Object = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "As OpenAI's and LiteLLM's clients send a key."},
    "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": "The API key as the HTTP Basic password; the user name is ignored.",
    },
}


class _Limit(NamedTuple):
    """What a field may be."""

    kind: str
    """Type that the field must have for it."""

    keyword: str
    """How JSON Schema calls it."""

    value: int | list[str]
    """How much, or which."""


def completed(schema: _Object, settings: Settings, *, model: str | None) -> _Object:
    """The document that the framework made of the routes, with what they do not know.

    Args:
        schema: the framework's; changed.
        settings: what the operator chose.
        model: name of what is served, where it is known.
    """
    for path, item in schema["paths"].items():
        for operation in item.values():
            _name_failures(operation, keyed=settings.requires_api_keys and path not in OPEN, scoped=path in SCOPES)
            if path in _CLAMPING:
                operation["responses"]["200"]["headers"].update(_LOWERED)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                _limit(content["schema"]["properties"], _limits(path, settings, model))
    if settings.requires_api_keys:
        schema["components"]["securitySchemes"] = _SCHEMES
    return {name: _exact(part) for name, part in schema.items()}


def _name_failures(operation: _Object, *, keyed: bool, scoped: bool) -> None:
    """Add the replies that come from in front of a route, and the headers of all replies."""
    responses = operation["responses"]
    responses["500"] = _error("Something unforeseen, told without details")
    if keyed:
        operation["security"] = [{name: []} for name in _SCHEMES]
        responses["401"] = _error("No API key, or none that is known")
        responses.setdefault("429", _error("The API key asks too often"))
        if scoped:
            responses.setdefault("403", _error("The API key is not good for this"))
    for status, response in responses.items():
        headers = {**_NAMED, **(_RETRY if status in ("429", "503") else {}), **(_CHALLENGE if status == "401" else {})}
        response["headers"] = {name: {"schema": {"type": "string"}, **header} for name, header in headers.items()}
    operation["responses"] = dict(sorted(responses.items()))


def _error(description: str) -> _Object:
    schema = {"$ref": "#/components/schemas/ErrorOut"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _limits(path: str, settings: Settings, model: str | None) -> dict[str, _Limit]:
    """What this server takes in a path's fields."""
    images = _Limit("array", "maxItems", settings.max_images)
    tokens = _Limit("integer", "maximum", settings.max_tokens)
    own = {} if settings.clamps_own else {"max_tokens": tokens}
    openai = {} if settings.clamps_openai else {"max_tokens": tokens, "max_completion_tokens": tokens}
    served = {} if model is None else {"model": _Limit("string", "enum", [model])}
    judges = {} if model is None else {"model": _Limit("string", "enum", [model, *MODERATION_MODELS])}
    return {
        "/v1/chat": {"image": images, "images": images, **own},
        "/v1/classify": {"image": images, "images": images},
        "/v1/chat/completions": {
            **served,
            "messages": _Limit("array", "maxItems", settings.max_turns),
            **openai,
            "n": _Limit("integer", "maximum", settings.max_choices),
        },
        "/v1/moderations": judges,
    }.get(path, {})


def _limit(fields: _Object, limits: Mapping[str, _Limit]) -> None:
    """Add limits to the fields of a request that have one."""
    for name in fields.keys() & limits.keys():
        limit = limits[name]
        for schema in (fields[name], *fields[name].get("anyOf", ())):
            if schema.get("type") == limit.kind:
                schema[limit.keyword] = limit.value


def _exact(value: Any) -> Any:
    """Whole numbers as such: the framework makes floats of bounds, and the text of a large one is another number."""
    if isinstance(value, dict):
        return {key: _exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
