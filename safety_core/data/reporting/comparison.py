"""Looks for near-duplicate texts, pictures and whole records within and between files.

Texts are the user's words of a record, all turns together. Two records are near-duplicates as a whole if their words
are, and their pictures are, too. Of each record a few hundred bytes are kept, never its words.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from safety_core.data.duplicates.groups import group_keys
from safety_core.data.duplicates.near_pictures import find_near_hashes, hash_picture
from safety_core.data.duplicates.near_texts import find_near_texts
from safety_core.data.labelling.drafts import Draft, stream_drafts
from safety_core.errors import SampleError
from safety_core.taxonomy import Taxonomy

Report = Callable[[str, int, int], None]
"""Receives a stage, the steps that are done, and all steps."""

_LONGEST = 20_000
"""Characters of a text that are compared."""

_CROWD = 64
"""Texts that MinHash cannot tell apart from which not all pairs are compared."""

_DECODERS = 8
_BATCH = 512
"""Pictures that are hashed at a time."""

_UNREADABLE = -1

Place = tuple[int, int]
"""Index of a file, and a line in it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One text, picture or record: where it stands, and the group of near-duplicates that it belongs to."""

    file: int
    """Index of the file."""

    line: int
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFiles:
    """What was compared."""

    texts: list[Item]
    """One for each record with words."""

    pictures: list[Item]
    """One for each picture of a file, at the first record that shows it."""

    records: list[Item]
    labels: list[tuple[int, int] | None]
    """Type and level of each record; None without a label."""

    unreadable: int
    """Number of pictures that could not be decoded."""


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What is kept of the records."""

    places: list[Place] = field(default_factory=list)
    labels: list[tuple[int, int] | None] = field(default_factory=list)
    has_words: list[bool] = field(default_factory=list)
    shown: list[tuple[int, ...]] = field(default_factory=list)
    """Numbers of each record's pictures."""

    pictures: dict[Path, int] = field(default_factory=dict)
    """Picture → its number, in the order of the records."""


def compare_files(
    files: Sequence[Path], taxonomy: Taxonomy, *, share: float, total: int, report: Report
) -> ComparedFiles:
    """Compare the records of files; malformed ones are passed over.

    Args:
        files: JSONL files.
        taxonomy: bounds of the labels.
        share: share of the records to compare, chosen by a hash of their place.
        total: number of records in all files, for the progress.
        report: receives the progress.

    Raises:
        ConfigError: the extra ``data`` is not installed.
        SampleError: a file cannot be read.
    """
    kept = _Kept()
    texts = _stream_texts(files, taxonomy, share, total, kept, report)
    found = group_keys((), find_near_texts(texts, crowd=_CROWD))  # the pairs are too many to be kept
    text_groups = [found.get(index, index) for index in range(len(kept.places))]
    picture_groups = _group_pictures(list(kept.pictures), report)
    return ComparedFiles(
        texts=[Item(*place, text_groups[index]) for index, place in enumerate(kept.places) if kept.has_words[index]],
        pictures=_list_pictures(kept, picture_groups),
        records=_group_records(kept, text_groups, picture_groups),
        labels=kept.labels,
        unreadable=sum(group == _UNREADABLE for group in picture_groups),
    )


def _stream_texts(
    files: Sequence[Path], taxonomy: Taxonomy, share: float, total: int, kept: _Kept, report: Report
) -> Iterator[str]:
    """Yield the words of each record that is compared, and keep the rest of it."""
    read = 0
    for number, file in enumerate(files):
        for draft in stream_drafts(file, taxonomy):
            if isinstance(draft, SampleError):
                continue
            read += 1
            report("texts", read, total)
            if share < 1 and _pick_fraction(number, draft.sample.line) >= share:
                continue
            _keep(draft, number, kept)
            yield "\n".join(turn.text for turn in draft.sample.turns if turn.role == "user")[:_LONGEST]


def _pick_fraction(file: int, line: int) -> float:
    """A number from 0 to 1 that the place of a record determines."""
    digest = hashlib.blake2b(f"{file}:{line}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / (1 << 64)


def _keep(draft: Draft, file: int, kept: _Kept) -> None:
    sample = draft.sample
    kept.places.append((file, sample.line))
    kept.labels.append((sample.label.type, sample.label.level) if draft.is_labelled else None)
    kept.has_words.append(any(turn.role == "user" for turn in sample.turns))
    kept.shown.append(tuple(kept.pictures.setdefault(image, len(kept.pictures)) for image in sample.images))


def _group_pictures(pictures: Sequence[Path], report: Report) -> list[int]:
    """Find the group of each picture, named by the number of its first one; -1 of a picture that is unreadable."""
    hashes: list[int | None] = []
    with ThreadPoolExecutor(min(_DECODERS, os.cpu_count() or 1), thread_name_prefix="pictures") as pool:
        for start in range(0, len(pictures), _BATCH):
            hashes += pool.map(_try_to_hash, pictures[start : start + _BATCH])
            report("pictures", len(hashes), len(pictures))
    readable = [number for number, found in enumerate(hashes) if found is not None]
    near = find_near_hashes([found for found in hashes if found is not None])
    groups = group_keys(readable, ((readable[one], readable[two]) for one, two in near))
    return [groups.get(number, _UNREADABLE) for number in range(len(pictures))]


def _try_to_hash(picture: Path) -> int | None:
    try:
        return hash_picture(picture)
    except SampleError:
        return None


def _list_pictures(kept: _Kept, groups: Sequence[int]) -> list[Item]:
    """List each picture once for each file that shows it."""
    found: dict[tuple[int, int], Item] = {}
    for (file, line), pictures in zip(kept.places, kept.shown, strict=True):
        for picture in pictures:
            if groups[picture] != _UNREADABLE:
                found.setdefault((file, picture), Item(file, line, groups[picture]))
    return list(found.values())


def _group_records(kept: _Kept, text_groups: Sequence[int], picture_groups: Sequence[int]) -> list[Item]:
    """Group records by the groups of their words and of all their pictures; an unreadable picture is like no other."""
    numbers: dict[tuple[int, ...], int] = {}
    items = []
    for index, place in enumerate(kept.places):
        shown = sorted(
            -2 - picture if picture_groups[picture] == _UNREADABLE else picture_groups[picture]
            for picture in kept.shown[index]
        )
        key = (text_groups[index] if kept.has_words[index] else -1, *shown)
        items.append(Item(*place, numbers.setdefault(key, len(numbers))))
    return items
