"""A disguise: a way to write a request that a person or a language model still reads and a guard might not."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from bench.robustness.text_changes import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Disguise:
    """One way to write a request."""

    title: str
    """Name of its row in a table."""

    change: Change
    """Disguises a text; takes a source of random numbers."""


def disguise(texts: Iterable[str], form: Disguise, seed: int = 0) -> list[str]:
    """Apply a disguise to each text; the same seed gives the same result."""
    return [form.change(text, Random(f"{seed}/{index}")) for index, text in enumerate(texts)]
