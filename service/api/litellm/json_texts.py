"""Finds the texts within JSON, also where it is the content of a text. Knows no protocol."""

import json
import re
from typing import Any

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
"""A JSON escape of a character."""


def list_json_texts(value: Any) -> list[str]:
    """List every text in a JSON value, keys and numbers included, in order, and every text in JSON within a text.

    Escapes could hide a word, and braces a sentence.
    """
    found: list[str] = []
    left = [value]
    while left:
        match left.pop():
            case dict() as fields:
                left += [part for pair in reversed(fields.items()) for part in reversed(pair)]
            case list() as parts:
                left += reversed(parts)
            case None:
                pass
            case str() as text:
                inner = _parse_json(text)
                if inner is None:
                    found.append(_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text))
                else:
                    left.append(inner)
            case other:
                found.append(json.dumps(other))
    return found


def unfold_json(text: str) -> str:
    """Return a text as a model reads it: the contents of JSON, one per line, without braces and escapes."""
    inner = _parse_json(text)
    return text if inner is None else "\n".join(list_json_texts(inner))


def _parse_json(text: str) -> Any:
    """Parse a JSON text; None if it is not valid JSON."""
    text = text.lstrip("\ufeff \t\r\n")
    if text[:1] not in ("{", "[", '"'):
        return None
    try:
        # Of equal keys all are kept, since a tool may read any of them. Numbers stay as they are spelt.
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: [list(pair) for pair in pairs],
            parse_int=str,
            parse_float=str,
            strict=False,
        )
    except (ValueError, RecursionError):
        return None
