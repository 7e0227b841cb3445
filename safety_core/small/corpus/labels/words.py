"""Lists of words that rules look for, read from ``assets/words.yaml``; an entry that ends in ``*`` has any ending."""

import re
from functools import cache
from pathlib import Path

import yaml

ASSETS = Path(__file__).parents[1] / "assets"
"""Lists that ship with this package."""


@cache
def read_words() -> dict[str, tuple[str, ...]]:
    """Read the entries of each list."""
    lists = yaml.safe_load((ASSETS / "words.yaml").read_text(encoding="utf-8"))
    return {name: (*parts.get("words", "").split(), *parts.get("phrases", ())) for name, parts in lists.items()}


def contains_words(name: str, text: str) -> bool:
    """Whether a text contains an entry of the list, in any case."""
    return _compile_words(name).search(text) is not None


@cache
def _compile_words(name: str) -> re.Pattern[str]:
    """Compile a list to one pattern; raises KeyError if there is no such list."""
    entries = sorted((re.escape(entry).replace(r"\*", r"\w*") for entry in read_words()[name]), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(entries)})(?!\w)", re.IGNORECASE)
