"""Reads bodies of server-sent events."""

import json
from typing import Any


def parse_events(body: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of an SSE body."""
    found = []
    for block in body.split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found
