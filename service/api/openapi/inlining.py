"""Schemas of models that are unknown to the framework, without references to components that the document lacks."""

from typing import Any

from pydantic import BaseModel

from service.ingress.body import JSON

_COMPONENT = "#/components/schemas/{model}"


def refer_to(model: type[BaseModel]) -> dict[str, Any]:
    """Build the reference to the component of a model that a route returns."""
    return {"$ref": _COMPONENT.format(model=model.__name__)}


def inline_model(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a model. References to nested models stay, because routes return those models."""
    schema = model.model_json_schema(ref_template=_COMPONENT)
    schema.pop("$defs", None)
    return schema


def inline_all(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a model with the schemas of nested models inlined."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})
    return {key: _resolve_references(value, parts) for key, value in schema.items()}


def describe_json_text(data: dict[str, Any]) -> dict[str, Any]:
    """Describe a string that contains JSON with a schema."""
    return {"type": "string", "contentMediaType": JSON, "contentSchema": data}


def _resolve_references(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolve_references(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolve_references(parts[schema["$ref"].rsplit("/", 1)[1]], parts)
    return {key: _resolve_references(value, parts) for key, value in schema.items() if key != "discriminator"}
