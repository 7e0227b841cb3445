"""Schemas without references that the document could not resolve."""

import json
from typing import Literal

from pydantic import BaseModel

from service.api.openapi.inlining import describe_json_text, inline_all, inline_model, refer_to


class Leaf(BaseModel):
    """A part of a part."""

    kind: Literal["leaf"] = "leaf"


class Branch(BaseModel):
    """A part."""

    leaves: list[Leaf]
    first: Leaf | None = None


class Tree(BaseModel):
    """A whole."""

    branch: Branch


def test_everything_within_is_inlined_at_any_depth() -> None:
    schema = inline_all(Tree)
    assert "$ref" not in json.dumps(schema)
    assert "$defs" not in schema
    leaf = schema["properties"]["branch"]["properties"]["leaves"]["items"]
    assert leaf["properties"]["kind"]["const"] == "leaf"
    assert leaf in schema["properties"]["branch"]["properties"]["first"]["anyOf"]


def test_parts_may_stay_components_that_some_route_returns() -> None:
    schema = inline_model(Tree)
    assert schema["properties"]["branch"] == refer_to(Branch) == {"$ref": "#/components/schemas/Branch"}
    assert "$defs" not in schema


def test_a_text_of_json_is_a_string_with_a_schema_of_its_content() -> None:
    described = describe_json_text(refer_to(Leaf))
    assert (described["type"], described["contentMediaType"]) == ("string", "application/json")
    assert described["contentSchema"] == refer_to(Leaf)
