"""What is known about each photograph: its things, what it certainly does not show, captions, people, numbers, places.

Sources are a set's own labels, captions and boxes, and the classes that the vision tower sees. Looks at no pixels.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safety_core.errors import InputError
from safety_core.small.alignment.naming.kinds import CLASSES, find_kind
from safety_core.small.alignment.naming.things import Thing, find_thing
from safety_core.small.alignment.samples.captions import clean_caption, read_captions
from safety_core.small.corpus.reading.photographs import read_coco_classes
from safety_core.small.corpus.records import Box, Record

CLASS_SET = "imagenet"
"""The set with one photograph of each of the tower's classes, whose labels are the names of the classes."""

SURE = 0.5
"""Least probability at which the tower's class counts as the name of a photograph without a label."""

_LEFT, _RIGHT = 0.38, 0.62
"""Shares of the width up to which the centre of a box is on the left, and from which it is on the right."""

_MOST = 6
"""Largest number of things to ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenClasses:
    """What the tower sees in a photograph."""

    best: int
    """Position of the most probable class."""

    confidence: float
    """Its probability."""

    possible: frozenset[int]
    """Positions of the classes that are not improbable in the whole or in some place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """One photograph and what is known about it."""

    id: str
    path: Path

    main: Thing | None
    """What it is a photograph of; None if it shows a scene."""

    shown: tuple[Thing, ...]
    """Things that it shows."""

    absent: tuple[Thing, ...]
    """Things that it does not show."""

    captions: tuple[str, ...] = ()
    """Sentences about it."""

    person: str = ""
    """Word for the person that it shows; empty if none is known."""

    counts: tuple[tuple[Thing, int], ...] = ()
    """Things and how many of them it shows."""

    places: tuple[tuple[Thing, str], ...] = ()
    """Things that it shows once, and where: "on the left"."""

    @classmethod
    def of(cls, thing: Thing) -> "Photo":
        """A photograph of which nothing else is known, and which has no file."""
        return cls(id=thing.label, path=Path(), main=thing, shown=(thing,), absent=())


def list_classes(records: Sequence[Record], number: int = CLASSES) -> tuple[Thing, ...]:
    """List the tower's classes by position: the labels of the class set's photographs in the order of WordNet's ids.

    Args:
        records: all records; photographs of every split count, since only their labels are read.
        number: number of the tower's classes.

    Returns:
        The classes; none where the set does not have one photograph of each.
    """
    labels = {record.id: record.topic for record in records if record.source == CLASS_SET and record.photo}
    if len(labels) != number:
        return ()
    kinds = [find_kind(position) if number == CLASSES else "" for position in range(number)]
    return tuple(find_thing(labels[key], kind=kind) for key, kind in zip(sorted(labels), kinds, strict=True))


def describe_photos(
    records: Sequence[Record], classes: Sequence[Thing], seen: Mapping[str, SeenClasses]
) -> list[Photo]:
    """Collect what is known about photographs.

    Args:
        records: records with photographs.
        classes: the tower's classes; empty if their names are unknown.
        seen: what the tower sees in each photograph, by the record's id; may be empty.

    Raises:
        InputError: no record is a photograph.
    """
    photos = [_describe_photo(record, classes, seen.get(record.id)) for record in records if record.photo]
    if not photos:
        raise InputError("there are no photographs to align with; see docs/safevlm-small-data.md", code="data_missing")
    return sorted(photos, key=lambda photo: photo.id)


def _describe_photo(record: Record, classes: Sequence[Thing], seen: SeenClasses | None) -> Photo:
    assert record.photo is not None
    boxes = tuple(find_thing(box.name) for box in record.boxes)
    facts = read_captions(record.captions)
    main = _find_main(record, classes, seen)
    shown = [*([main] if main else []), *dict.fromkeys(boxes), *map(find_thing, facts.shown)]
    absent = [*map(find_thing, facts.absent)]
    if record.boxes:
        absent += [find_thing(name) for name in read_coco_classes()]
    if seen is not None:
        absent += [thing for position, thing in enumerate(classes) if position not in seen.possible]
    known = {name.lower() for thing in shown for name in thing.names} | {thing.kind for thing in shown if thing.kind}
    said = " ".join(record.captions).lower()
    numbers = Counter(boxes)
    return Photo(
        id=record.id,
        path=record.photo,
        main=main,
        shown=tuple(shown),
        absent=tuple(thing for thing in dict.fromkeys(absent) if not _may_be_shown(thing, known, said)),
        captions=tuple(filter(None, map(clean_caption, record.captions))),
        person=facts.person,
        counts=(
            *((find_thing(noun), number) for noun, number in facts.counts),
            *((thing, number) for thing, number in numbers.items() if 2 <= number <= _MOST and thing.is_countable),
        ),
        places=tuple((find_thing(box.name), where) for box in record.boxes if (where := _find_place(box, numbers))),
    )


def _find_main(record: Record, classes: Sequence[Thing], seen: SeenClasses | None) -> Thing | None:
    """Find what a photograph is of: its label, or the tower's class if nothing else is known about it."""
    if record.topic:
        kinds = {thing.label: thing.kind for thing in classes}
        return find_thing(record.topic, kind=kinds.get(record.topic, "") if record.source == CLASS_SET else "")
    if seen is None or not classes or record.captions or record.boxes or seen.confidence < SURE:
        return None
    return classes[seen.best]


def _may_be_shown(thing: Thing, known: set[str], said: str) -> bool:
    """Whether a thing shares a name or its kind with what is shown, or a caption contains its name."""
    names = {name.lower() for name in thing.names}
    return bool(known & (names | ({thing.kind} if thing.kind else set()))) or any(name in said for name in names)


def _find_place(box: Box, numbers: Mapping[Thing, int]) -> str:
    """Find where a thing is, if there is only one and it is clearly on one side."""
    if numbers[find_thing(box.name)] > 1 or _LEFT < box.centre_x < _RIGHT:
        return ""
    return "on the left" if box.centre_x <= _LEFT else "on the right"
