"""Our risk types for the categories of other guards. Tables that a person can read; docs/benchmarks.md prints them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.strict_json import read_json_object
from safety_core.taxonomy import Taxonomy

MODERATION_CATEGORIES: Mapping[str, str] = {
    "harassment": "insults_bullying",
    "hate": "fairness",
    "illicit": "illegal",
    "self-harm": "illegal",
    "sexual": "illegal",
    "violence": "illegal",
}
"""Categories of OpenAI's moderation endpoint, without the part after the slash. Our own types stand for themselves."""

GUARD_CATEGORIES: Mapping[str, str] = {
    "S1": "illegal",
    "S2": "illegal",
    "S3": "illegal",
    "S4": "illegal",
    "S5": "insults_bullying",
    "S6": "misleading",
    "S7": "privacy",
    "S8": "illegal",
    "S9": "illegal",
    "S10": "fairness",
    "S11": "illegal",
    "S12": "illegal",
    "S13": "politics",
    "S14": "illegal",
}
"""Categories of Llama Guard 3 and 4: violent crimes, non-violent crimes, sex-related crimes, child sexual exploitation,
defamation, specialized advice, privacy, intellectual property, indiscriminate weapons, hate, self-harm, sexual content,
elections, code interpreter abuse. Source: ``meta-llama/PurpleLlama``, ``Llama-Guard3/1B/MODEL_CARD.md`` (S1 to S13) and
``Llama-Guard3/8B/MODEL_CARD.md`` (S14)."""


def find_moderation_type(category: str, taxonomy: Taxonomy) -> str | None:
    """Find the risk type of a category of a moderation endpoint; None if it has none in this taxonomy."""
    name = category if category in taxonomy.risky_types else MODERATION_CATEGORIES.get(category.partition("/")[0])
    return name if name in taxonomy.risky_types else None


def read_categories(file: Path, taxonomy: Taxonomy) -> dict[str, str]:
    """Read a JSON object that maps the categories of a guard to risk types.

    Raises:
        ConfigError: the file cannot be read, or names an unknown risk type.
    """
    categories = read_json_object(file)
    if wrong := [code for code, name in categories.items() if name not in taxonomy.risky_types]:
        raise ConfigError(f"{file}: {wrong[0]}: one of {list(taxonomy.risky_types)} is needed")
    return categories
