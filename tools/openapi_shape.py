"""Keep the shape of the HTTP interface: the OpenAPI document without its texts.

    python -m tools.openapi_shape            exit with status 1 if the shape differs from the file
    python -m tools.openapi_shape --write    write the shape of this code to the file

The shape is everything that a client depends on: paths, methods, operation ids, parameters, schemas, media types and
status codes. Titles, summaries, descriptions and examples may change freely. The file is `tools/openapi_shape.json`;
a change to it is a change to the interface and belongs in CHANGELOG.
"""

import argparse
import difflib
import json
import sys
from pathlib import Path
from typing import Any

from service.app import create_app
from service.settings import Settings

SHAPE_FILE = Path(__file__).with_name("openapi_shape.json")
# Keys whose strings are descriptive texts. If the value is an object, it is a field of that name, and stays.
TEXTS = frozenset({"title", "summary", "description"})
EXAMPLES = frozenset({"example", "examples"})


def strip_texts(node: Any) -> Any:
    """Return a copy of a part of an OpenAPI document without texts and examples."""
    if isinstance(node, list):
        return [strip_texts(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {name: strip_texts(schema) for name, schema in value.items()}
        if key == "properties"
        else strip_texts(value)
        for key, value in node.items()
        if not (key in TEXTS and isinstance(value, str)) and not (key in EXAMPLES and "properties" not in node)
    }


def read_shape() -> str:
    """Return the shape of the interface as JSON, for a server with API keys and otherwise default settings."""
    document = create_app(Settings(api_keys="reader:placeholder")).openapi()
    shape = {name: strip_texts(document[name]) for name in ("openapi", "paths", "components")}
    return json.dumps(shape, indent=1, sort_keys=True) + "\n"


def main() -> int:
    """Compare or write the shape; returns the exit status."""
    parser = argparse.ArgumentParser(description="Keep the shape of the HTTP interface.")
    parser.add_argument("--write", action="store_true", help="write the shape of this code to the file")
    if parser.parse_args().write:
        SHAPE_FILE.write_text(read_shape(), "utf-8")
        return 0
    expected, found = SHAPE_FILE.read_text("utf-8").splitlines(), read_shape().splitlines()
    differences = list(difflib.unified_diff(expected, found, "recorded", "this code", lineterm=""))
    print("\n".join(differences) or "The shape is the recorded one.")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
