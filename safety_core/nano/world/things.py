"""The things of the nano's picture world: one pictogram each, with a name, a plural and a kind.

A thing's kind decides which row of the labelling table (``rules.py``) a picture with it falls under. Code points are
those of the emoji font that ``sprites.py`` rendered once into ``assets/sprites.png``, in this order.
Knows nothing of drawing, questions or models.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ASSETS = Path(__file__).parents[1] / "assets"
"""Package data: sprites, lettering fonts, words and wordings, with their licences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One pictogram class."""

    name: str
    """Singular, one word, lower case: what the nano calls it."""

    plural: str
    """What the nano calls several of it."""

    codepoint: int
    """Unicode code point of the pictogram."""

    kind: str
    """``clean`` or a risky kind: weapon, drug, gambling, gore, adult, politics, insult, identity."""


def _read() -> tuple[Thing, ...]:
    kinds = yaml.safe_load((ASSETS / "things.yaml").read_text(encoding="utf-8"))
    return tuple(
        Thing(name=name, plural=plural[0] if plural else f"{name}s", codepoint=code, kind=kind)
        for kind, things in kinds.items()
        for name, (code, *plural) in things.items()
    )


THINGS: tuple[Thing, ...] = _read()
"""Every thing, clean ones first; the position is the sprite's index and the vision tower's class."""

RISKY_KINDS: tuple[str, ...] = tuple(dict.fromkeys(thing.kind for thing in THINGS if thing.kind != "clean"))
"""The kinds of thing that carry risk."""


@cache
def by_name() -> dict[str, Thing]:
    """Things by their singular name."""
    return {thing.name: thing for thing in THINGS}


@cache
def of_kind(kind: str) -> tuple[Thing, ...]:
    """All things of one kind."""
    return tuple(thing for thing in THINGS if thing.kind == kind)


@cache
def _positions() -> dict[str, int]:
    return {thing.name: index for index, thing in enumerate(THINGS)}


def sprite_index(name: str) -> int:
    """Position of a thing in ``THINGS`` and in the sprite sheet."""
    return _positions()[name]
