"""Finds the strings within JSON, including JSON documents that are encoded as strings. Knows no protocol."""

import json
import re
from typing import Any

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
"""A JSON escape of a character."""


def list_json_texts(value: Any) -> list[str]:
    """List every string in a JSON value in order, including keys, numbers, and the strings of nested JSON documents.

    Escapes could otherwise hide a word, and braces could hide a sentence.
    """
    texts: list[str] = []
    pending = [value]
    while pending:
        match pending.pop():
            case dict() as fields:
                pending += [part for pair in reversed(fields.items()) for part in reversed(pair)]
            case list() as parts:
                pending += reversed(parts)
            case None:
                pass
            case str() as text:
                inner = _parse_json(text)
                if inner is None:
                    texts.append(_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text))
                else:
                    pending.append(inner)
            case other:
                texts.append(json.dumps(other))
    return texts


def unfold_json(text: str) -> str:
    """Return the strings of a JSON document, one per line, without braces and escapes; any other text is unchanged."""
    inner = _parse_json(text)
    return text if inner is None else "\n".join(list_json_texts(inner))


def _parse_json(text: str) -> Any:
    """Parse a JSON text; None if it is not valid JSON."""
    text = text.lstrip("\ufeff \t\r\n")
    if text[:1] not in ("{", "[", '"'):
        return None
    try:
        # Values of duplicate keys are all kept, because a tool may read any of them. Numbers keep their spelling.
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: [list(pair) for pair in pairs],
            parse_int=str,
            parse_float=str,
            strict=False,
        )
    except (ValueError, RecursionError):
        return None
