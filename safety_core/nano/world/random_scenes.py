"""Samples things and their cells. Knows nothing of risk, questions or models."""

import zlib
from random import Random

from safety_core.nano.world.scene import BACKGROUNDS, COLOURS, SHAPES, PlacedItem, compute_luminance, place_item
from safety_core.nano.world.things import THINGS, find_things


def list_shape_colours(background: str) -> tuple[str, ...]:
    """List the colours of a shape with enough contrast to a background."""
    ground = BACKGROUNDS[background]
    return tuple(
        name
        for name, rgb in COLOURS.items()
        if sum(abs(a - b) for a, b in zip(rgb, ground, strict=True)) > 120
        and (
            name == background
            or name not in BACKGROUNDS
            or abs(compute_luminance(rgb) - compute_luminance(ground)) > 20
        )
        and name != background
    )


def is_held_out_place(name: str, cell: int) -> bool:
    """Whether no training picture shows the thing in this cell; true for one place in eight."""
    return zlib.crc32(f"{name}@{cell}".encode()) % 8 == 0


def sample_items(
    rng: Random,
    background: str,
    cells: list[int],
    count: int,
    *,
    any_kind: bool = False,
    shapes: float = 0.2,
    held_out: bool = False,
) -> tuple[PlacedItem, ...]:
    """Sample up to ``count`` different things in different cells.

    Args:
        rng: the scene's random source.
        background: the scene's background colour.
        cells: available cells.
        count: largest number of things.
        any_kind: sample risky things as well, to train the tower.
        shapes: probability of a coloured shape.
        held_out: put the first thing into a held-out place, and others anywhere.
    """
    pool = THINGS if any_kind else find_things("clean")
    chosen = rng.sample(cells, min(count, len(cells)))
    names: set[str] = set()
    items: list[PlacedItem] = []
    for cell in chosen:
        colour = None
        unseen = [thing.name for thing in pool if is_held_out_place(thing.name, cell)]
        if held_out and not items and unseen:
            name = rng.choice(unseen)
        elif rng.random() < shapes:
            name, colour = rng.choice(SHAPES), rng.choice(list_shape_colours(background))
        else:
            name = rng.choice(pool).name
        if name in names and not any_kind:
            continue
        if is_held_out_place(name, cell) and not held_out:
            continue
        names.add(name)
        items.append(place_item(rng, name, cell, colour))
    return tuple(items)
