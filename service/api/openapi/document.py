"""The OpenAPI document of one server: the framework's document of the routes, completed from the table of endpoints.

Routes know neither the headers of every response, nor API keys, nor the limits that the operator sets.
"""

from typing import Any

from fastapi import FastAPI

from safety_core.engine.guard_info import GuardInfo
from service.api.token_limits import HEADER, should_lower_limit
from service.endpoints import TABLE, Endpoint, replace_parameters
from service.settings import Settings

_Object = dict[str, Any]

_REQUEST_ID: _Object = {"X-Request-Id": {"description": "Identifier of the request, as in the logs.", "required": True}}
_RETRY: _Object = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_TOKEN_LIMIT: _Object = {
    HEADER: {
        "description": "The applied limit on reply tokens, if the request asked for more.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_CHALLENGE: _Object = {"WWW-Authenticate": {"description": "The accepted authentication schemes.", "required": True}}

_SCHEMES: _Object = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The API key as a Bearer token, as sent by OpenAI and LiteLLM clients.",
    },
    "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": "The API key as the HTTP Basic password; the user name is ignored.",
    },
}


_MAXIMUM = {"array": "maxItems", "integer": "maximum"}
"""JSON Schema keyword for the maximum of each type."""


class DocumentedApp(FastAPI):
    """An application whose OpenAPI document is completed.

    Args:
        settings: settings of the operator.
        options: arguments of the framework's class.
    """

    model: GuardInfo | None = None
    """Name of the served model; None until the model is loaded."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings

    def openapi(self) -> _Object:
        """Return the document, which is built once."""
        if self.openapi_schema is None:
            schema, model = super().openapi(), self.model
            if model is not None and model.description:
                schema["info"]["description"] += f"\n\n{model.checkpoint}: {model.description}"
            name = None if model is None else model.checkpoint
            self.openapi_schema = add_shared_parts(schema, self._settings, model=name)
        return self.openapi_schema


def add_shared_parts(schema: _Object, settings: Settings, *, model: str | None) -> _Object:
    """Complete the framework's document with what the routes do not know.

    Args:
        schema: the framework's document, which is changed.
        settings: settings of the operator.
        model: name of the served model, if it is known.
    """
    for path, item in schema["paths"].items():
        endpoint = TABLE[replace_parameters(path)]
        for operation in item.values():
            _add_shared_responses(operation, endpoint, settings)
            if endpoint.generates:
                operation["responses"]["200"]["headers"].update(_TOKEN_LIMIT)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                fields = content["schema"]["properties"]
                _limit(fields, _list_limits(endpoint, settings))
                if model is not None and endpoint.model_aliases is not None:
                    _restrict(fields["model"], [model, *endpoint.model_aliases])
    if settings.requires_api_keys:
        schema["components"]["securitySchemes"] = _SCHEMES
    return {name: _convert_floats(part) for name, part in schema.items()}


def _add_shared_responses(operation: _Object, endpoint: Endpoint, settings: Settings) -> None:
    """Add the responses of the middleware, and the headers of all responses."""
    responses = operation["responses"]
    responses["500"] = _create_error("An unexpected error; the response gives no details")
    if endpoint.generates and settings.mode == "guard":
        responses["501"] = _create_error("The server only judges (`SAFEVLM_MODE=guard`)")
    if settings.requires_api_keys and not endpoint.is_open:
        operation["security"] = [{name: []} for name in _SCHEMES]
        responses["401"] = _create_error("The API key is missing or unknown")
        responses.setdefault("429", _create_error("The API key exceeds its rate or concurrency limit"))
        if endpoint.scope is not None:
            responses.setdefault("403", _create_error("The API key lacks the scope that this endpoint requires"))
    for status, response in responses.items():
        headers = {
            **_REQUEST_ID,
            **(_RETRY if status in ("429", "503") else {}),
            **(_CHALLENGE if status == "401" else {}),
        }
        response["headers"] = {name: {"schema": {"type": "string"}, **header} for name, header in headers.items()}
    operation["responses"] = dict(sorted(responses.items()))


def _create_error(description: str) -> _Object:
    schema = {"$ref": "#/components/schemas/ErrorOut"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _list_limits(endpoint: Endpoint, settings: Settings) -> dict[str, int]:
    """List the operator's maximum for each limited request field: of its items, or of its value."""
    return {
        field: endpoint.get_limit(quantity, settings)
        for field, quantity in endpoint.limited_fields.items()
        if quantity != "reply_tokens" or not should_lower_limit(endpoint, settings)
    }


def _limit(fields: _Object, limits: dict[str, int]) -> None:
    """Add the maximum to the schemas of limited fields."""
    for name in fields.keys() & limits.keys():
        for schema in _list_branches(fields[name]):
            if schema.get("type") in _MAXIMUM:
                schema[_MAXIMUM[schema["type"]]] = limits[name]


def _restrict(field: _Object, values: list[str]) -> None:
    """Restrict a string field to an enumeration of values."""
    for schema in _list_branches(field):
        if schema.get("type") == "string":
            schema["enum"] = values


def _list_branches(field: _Object) -> list[_Object]:
    """List the schema of a field and those of its alternatives."""
    return [field, *field.get("anyOf", ())]


def _convert_floats(value: Any) -> Any:
    """Convert whole floats to integers: the framework converts bounds to floats, and large floats lose digits."""
    if isinstance(value, dict):
        return {key: _convert_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_convert_floats(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
