"""Random scenes: which things stand where. Knows drawing (``world``), nothing of risk, questions or models."""

import zlib
from random import Random

from safety_core.nano.world.scene import BACKGROUNDS, COLOURS, SHAPES, Item, luminance, place_item
from safety_core.nano.world.things import THINGS, of_kind


def shape_colours(background: str) -> tuple[str, ...]:
    """Colours in which a shape stands out from a background."""
    ground = BACKGROUNDS[background]
    return tuple(
        name
        for name, rgb in COLOURS.items()
        if sum(abs(a - b) for a, b in zip(rgb, ground, strict=True)) > 120
        and (name == background or name not in BACKGROUNDS or abs(luminance(rgb) - luminance(ground)) > 20)
        and name != background
    )


def held_out_place(name: str, cell: int) -> bool:
    """Whether a thing never stands in a cell in any training picture, the tower's included: one place in eight."""
    return zlib.crc32(f"{name}@{cell}".encode()) % 8 == 0


def clean_items(
    rng: Random,
    background: str,
    cells: list[int],
    count: int,
    *,
    any_kind: bool = False,
    shapes: float = 0.2,
    held_out: bool = False,
) -> tuple[Item, ...]:
    """Up to ``count`` different things in different cells.

    Args:
        rng: the scene's random source.
        background: the scene's background colour.
        cells: cells that may be used.
        count: how many things, at most.
        any_kind: draw from risky things too (for training the tower, which knows no risk).
        shapes: chance that a thing is a coloured shape.
        held_out: put the first thing where training never shows it, and others wherever they come.
    """
    pool = THINGS if any_kind else of_kind("clean")
    chosen = rng.sample(cells, min(count, len(cells)))
    names: set[str] = set()
    items: list[Item] = []
    for cell in chosen:
        colour = None
        unseen = [thing.name for thing in pool if held_out_place(thing.name, cell)]
        if held_out and not items and unseen:
            name = rng.choice(unseen)
        elif rng.random() < shapes:
            name, colour = rng.choice(SHAPES), rng.choice(shape_colours(background))
        else:
            name = rng.choice(pool).name
        if name in names and not any_kind:
            continue
        if held_out_place(name, cell) and not held_out:
            continue
        names.add(name)
        items.append(place_item(rng, name, cell, colour))
    return tuple(items)
