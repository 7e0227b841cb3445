"""Summaries of near-duplicates: how many items of a file have another like them there, or in another file."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from safety_core.data.reporting.comparison import Item, Place

MOST_EXAMPLES = 1000
"""Most groups of each summary whose places are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Near-duplicates within one file."""

    file: int
    groups: int
    """Groups with two or more items of the file."""

    items: int
    """Items in these groups; all but one of each group could go."""

    examples: list[list[Place]]
    """The first two items of some of these groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Near-duplicates between two files."""

    files: tuple[int, int]
    items: tuple[int, int]
    """Items of each file that have a near-duplicate in the other."""

    examples: list[list[Place]]
    """The first item of each file of some of these groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaps:
    """Near-duplicates of one kind."""

    items: int
    """Number of items that were compared."""

    within: list[Within]
    between: list[Between]

    def to_dict(self, files: Sequence[str]) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "items": self.items,
            "within": [
                {
                    "file": files[one.file],
                    "groups": one.groups,
                    "items": one.items,
                    "examples": name_places(one.examples, files),
                }
                for one in self.within
            ],
            "between": [
                {
                    "files": [files[file] for file in one.files],
                    "items": list(one.items),
                    "examples": name_places(one.examples, files),
                }
                for one in self.between
            ],
        }


def name_places(examples: Sequence[Sequence[Place]], files: Sequence[str]) -> list[list[str]]:
    """Name places as ``FILE:LINE``."""
    return [[f"{files[file]}:{line}" for file, line in places] for places in examples]


def summarize_overlaps(items: Sequence[Item]) -> Overlaps:
    """Summarize the groups of items within each file and between each two files that share one."""
    members: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        members[item.group][item.file].append(item.line)
    within: dict[int, list[dict[int, list[int]]]] = defaultdict(list)
    between: dict[tuple[int, int], list[dict[int, list[int]]]] = defaultdict(list)
    for group in members.values():
        files = sorted(group)
        for place, file in enumerate(files):
            if len(group[file]) > 1:
                within[file].append(group)
            for other in files[place + 1 :]:
                between[file, other].append(group)
    return Overlaps(
        items=len(items),
        within=[
            Within(
                file=file,
                groups=len(groups),
                items=sum(len(group[file]) for group in groups),
                examples=[[(file, line) for line in group[file][:2]] for group in groups[:MOST_EXAMPLES]],
            )
            for file, groups in sorted(within.items())
        ],
        between=[
            Between(
                files=(one, two),
                items=(sum(len(group[one]) for group in groups), sum(len(group[two]) for group in groups)),
                examples=[[(one, group[one][0]), (two, group[two][0])] for group in groups[:MOST_EXAMPLES]],
            )
            for (one, two), groups in sorted(between.items())
        ],
    )


def find_contradictions(records: Sequence[Item], labels: Sequence[tuple[int, int] | None]) -> list[list[Place]]:
    """Find groups of records that are near-duplicates as a whole and have different labels: the first two that differ.

    Args:
        records: the records with their groups.
        labels: type and level of each record; None without a label.
    """
    first: dict[int, tuple[Place, tuple[int, int]]] = {}
    found: dict[int, list[Place]] = {}
    for item, label in zip(records, labels, strict=True):
        if label is None:
            continue
        place, known = first.setdefault(item.group, ((item.file, item.line), label))
        if known != label and item.group not in found:
            found[item.group] = [place, (item.file, item.line)]
    return list(found.values())
