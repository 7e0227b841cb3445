"""Request bodies in the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

from service.api.openapi.inlining import inline_all
from service.api.schemas.requests import NOT_BLANK, FormRequest, JsonRequest
from service.ingress.body import JSON
from service.ingress.multipart import MULTIPART

_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif")
"""Media types of images that are accepted."""


def build_json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Build a request body that must be JSON."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": inline_all(model)}}}}


def build_form_or_json_body(*, has_reply: bool) -> dict[str, Any]:
    """Build the request body of ``/v1/chat`` and ``/v1/classify``, which is a form or JSON.

    Args:
        has_reply: whether a reply is generated, which requires a prompt if there are no images.
    """
    form = _remove_null(FormRequest.model_json_schema())
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "Image files."}
    form["properties"] = {"image": files, **form["properties"]}
    body = JsonRequest.model_json_schema()
    for schema, images in ((form, "image"), (body, "images")):
        prompt: dict[str, Any] = {**NOT_BLANK} if has_reply else {"type": "string", "minLength": 1}
        schema["anyOf"] = [
            {"properties": {"prompt": prompt}, "required": ["prompt"]},
            {"properties": {images: {"type": "array", "minItems": 1}}, "required": [images]},
        ]
    multipart = {"schema": form, "encoding": {"image": {"contentType": ", ".join(_IMAGE_TYPES)}}}
    return {"requestBody": {"required": True, "content": {MULTIPART: multipart, JSON: {"schema": body}}}}


def _remove_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove ``null`` from the schema of a form, whose fields can be omitted, but cannot be ``null``."""
    fields = {name: {**field} for name, field in schema["properties"].items()}
    for field in fields.values():
        if "anyOf" in field:
            field |= next(kind for kind in field.pop("anyOf") if kind != {"type": "null"})
            del field["default"]
    return {**schema, "properties": fields}
