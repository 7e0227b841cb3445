"""Chooses some items of a suite: whole groups, from every stratum in proportion, by a seeded order. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from safety_core.evaluation.benchmarks.suites.items import Item

Stratum = tuple[str, str, int]
"""Source, category and level."""


def choose_items(items: Sequence[Item], limit: int | None, *, seed: int) -> list[Item]:
    """Choose at most ``limit`` items, in their order.

    The limit is divided among the strata (source, category, level) in proportion to their size; every stratum gets room
    for at least one group while there are enough places. Within a stratum, groups come in an order that depends on the
    seed and their names only, so that a higher limit mostly adds items. A group belongs to the stratum of its first
    item and is taken as a whole, or not at all.

    Args:
        items: all items of the suite.
        limit: greatest number of items; None for all.
        seed: seed of the order.
    """
    if limit is None or limit >= len(items):
        return list(items)
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    strata: dict[Stratum, list[str]] = {}
    for name, members in groups.items():
        strata.setdefault((members[0].source, members[0].category, members[0].level), []).append(name)
    for names in strata.values():
        names.sort(key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    sizes = {stratum: sum(len(groups[name]) for name in names) for stratum, names in strata.items()}
    least = {stratum: min(len(groups[name]) for name in names) for stratum, names in strata.items()}
    places = _divide(sizes, least, limit)
    chosen: set[str] = set()
    left = limit
    for stratum, names in strata.items():
        left -= _take(names, groups, min(places[stratum], left), chosen)
    # Groups that were too large for their stratum's places leave some over.
    for names in strata.values():
        left -= _take([name for name in names if name not in chosen], groups, left, chosen)
    return [item for item in items if item.group in chosen]


def _divide(sizes: Mapping[Stratum, int], least: Mapping[Stratum, int], limit: int) -> dict[Stratum, int]:
    """Divide places: first room for one group of each stratum, the rest in proportion, by the largest remainders."""
    order = sorted(sizes, key=lambda stratum: (-sizes[stratum], stratum))
    places = dict.fromkeys(order, 0)
    rest = limit
    for stratum in order:
        if least[stratum] <= rest:
            places[stratum] = least[stratum]
            rest -= least[stratum]
    total = sum(sizes.values())
    wanted = {stratum: max(0.0, sizes[stratum] * limit / total - places[stratum]) for stratum in order}
    scale = rest / (sum(wanted.values()) or 1.0)
    for stratum in order:
        places[stratum] += int(wanted[stratum] * scale)
    by_remainder = sorted(order, key=lambda stratum: -(wanted[stratum] * scale % 1))
    for stratum in by_remainder[: limit - sum(places.values())]:
        places[stratum] += 1
    return places


def _take(names: Sequence[str], groups: Mapping[str, Sequence[Item]], places: int, chosen: set[str]) -> int:
    """Take groups while they fit; returns the number of items taken."""
    taken = 0
    for name in names:
        if taken + len(groups[name]) <= places:
            chosen.add(name)
            taken += len(groups[name])
        if taken == places:
            break
    return taken
