"""The things of the nano's picture world: a pictogram each, with a name, a plural and a kind.

A thing's kind determines the row of the labelling table for a picture of it. Code points are those of the emoji font
from which ``sprites.py`` rendered ``assets/sprites.png``, in this order. Knows nothing of drawing, questions or models.
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
    """Singular, one word, lower case."""

    plural: str
    """Plural."""

    codepoint: int
    """Unicode code point of the pictogram."""

    kind: str
    """``clean`` or a risky kind: weapon, drug, gambling, gore, adult, politics, insult, identity."""


def _read_things() -> tuple[Thing, ...]:
    kinds = yaml.safe_load((ASSETS / "things.yaml").read_text(encoding="utf-8"))
    return tuple(
        Thing(name=name, plural=plural[0] if plural else f"{name}s", codepoint=code, kind=kind)
        for kind, things in kinds.items()
        for name, (code, *plural) in things.items()
    )


THINGS: tuple[Thing, ...] = _read_things()
"""Every thing, clean ones first; the position is the sprite's index and the vision tower's class."""

RISKY_KINDS: tuple[str, ...] = tuple(dict.fromkeys(thing.kind for thing in THINGS if thing.kind != "clean"))
"""The kinds of risky things."""


THINGS_BY_NAME: dict[str, Thing] = {thing.name: thing for thing in THINGS}
"""Singular name → thing."""

_POSITIONS = {thing.name: index for index, thing in enumerate(THINGS)}


@cache
def find_things(kind: str) -> tuple[Thing, ...]:
    """Find all things of one kind."""
    return tuple(thing for thing in THINGS if thing.kind == kind)


def get_sprite_index(name: str) -> int:
    """Return the position of a thing in ``THINGS`` and in the sprite sheet."""
    return _POSITIONS[name]
