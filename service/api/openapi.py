"""The OpenAPI document of one server: what its routes say, and what stands in front of all of them.

A route knows neither that every reply carries the name of its request, nor that a key may be asked for, nor what the
operator allows. Knows no request.
"""

from typing import Any

from service.api.requests import LOWERED, clamps_tokens
from service.endpoints import TABLE, Endpoint, replace_parameters
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

_SCHEMES: _Object = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "As OpenAI's and LiteLLM's clients send a key."},
    "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": "The API key as the HTTP Basic password; the user name is ignored.",
    },
}


_MAXIMUM = {"array": "maxItems", "integer": "maximum"}
"""JSON Schema's keyword for the maximum of a type."""


def completed(schema: _Object, settings: Settings, *, model: str | None) -> _Object:
    """The document that the framework made of the routes, with what they do not know.

    Args:
        schema: the framework's; changed.
        settings: what the operator chose.
        model: name of what is served, where it is known.
    """
    for path, item in schema["paths"].items():
        endpoint = TABLE[replace_parameters(path)]
        for operation in item.values():
            _name_failures(operation, endpoint, wants_keys=settings.requires_api_keys)
            if endpoint.token_fields:
                operation["responses"]["200"]["headers"].update(_LOWERED)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                fields = content["schema"]["properties"]
                _limit(fields, _list_limits(endpoint, settings))
                if model is not None and endpoint.model_aliases is not None:
                    _restrict(fields["model"], [model, *endpoint.model_aliases])
    if settings.requires_api_keys:
        schema["components"]["securitySchemes"] = _SCHEMES
    return {name: _exact(part) for name, part in schema.items()}


def _name_failures(operation: _Object, endpoint: Endpoint, *, wants_keys: bool) -> None:
    """Add the replies that come from in front of a route, and the headers of all replies."""
    responses = operation["responses"]
    responses["500"] = _error("Something unforeseen, told without details")
    if wants_keys and not endpoint.is_open:
        operation["security"] = [{name: []} for name in _SCHEMES]
        responses["401"] = _error("No API key, or none that is known")
        responses.setdefault("429", _error("The API key asks too often"))
        if endpoint.scope is not None:
            responses.setdefault("403", _error("The API key is not good for this"))
    for status, response in responses.items():
        headers = {**_NAMED, **(_RETRY if status in ("429", "503") else {}), **(_CHALLENGE if status == "401" else {})}
        response["headers"] = {name: {"schema": {"type": "string"}, **header} for name, header in headers.items()}
    operation["responses"] = dict(sorted(responses.items()))


def _error(description: str) -> _Object:
    schema = {"$ref": "#/components/schemas/ErrorOut"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _list_limits(endpoint: Endpoint, settings: Settings) -> dict[str, int]:
    """Request field → the operator's maximum of its items or of its value."""
    limits: dict[str, int] = {field: getattr(settings, setting) for field, setting in endpoint.limits.items()}
    if not clamps_tokens(endpoint, settings):
        limits |= dict.fromkeys(endpoint.token_fields, settings.max_tokens)
    return limits


def _limit(fields: _Object, limits: dict[str, int]) -> None:
    """Add the maximum to the schemas of limited fields."""
    for name in fields.keys() & limits.keys():
        for schema in _list_branches(fields[name]):
            if schema.get("type") in _MAXIMUM:
                schema[_MAXIMUM[schema["type"]]] = limits[name]


def _restrict(field: _Object, values: list[str]) -> None:
    """Restrict a text field to some values."""
    for schema in _list_branches(field):
        if schema.get("type") == "string":
            schema["enum"] = values


def _list_branches(field: _Object) -> list[_Object]:
    """The schema of a field and those of its alternatives."""
    return [field, *field.get("anyOf", ())]


def _exact(value: Any) -> Any:
    """Whole numbers as such: the framework makes floats of bounds, and the text of a large one is another number."""
    if isinstance(value, dict):
        return {key: _exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
