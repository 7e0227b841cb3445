"""The index of near-duplicates of a whole audit: arrays in files beside the parts, and the groups they lead to.

Memory does not depend on the number of items, except for two bytes of each: the arrays are mapped from files.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from safety_core.data.duplicates.near_texts import LETTERS_ALIKE, WORDS_ALIKE
from safety_core.dataset_audit.duplicates.equal_keys import CHUNK, Keys, stream_equal
from safety_core.dataset_audit.duplicates.near_pictures import group_pictures
from safety_core.dataset_audit.duplicates.near_texts import group_equal, group_texts
from safety_core.dataset_audit.duplicates.signatures import PERMUTATIONS
from safety_core.dataset_audit.duplicates.union_file import Indices, UnionArray

if TYPE_CHECKING:
    import pyarrow as pa

INDEXED = ("picture_hashes", "text_digest", "word_signature", "letter_signature")
"""Columns of parts that the index reads."""

_NOTHING = np.uint64(0)
"""Key of an item without words and pictures, which is no duplicate of anything."""


@dataclass(frozen=True, slots=True)
class DuplicateGroups:
    """The groups of all items and pictures. The number of a group is that of its first item."""

    items: Indices
    """For each item the group of items that are alike in words and pictures."""

    texts: Indices
    """For each item the group of its words."""

    pictures: Indices
    """For each picture, in the order of the items, the group of pictures."""

    sizes: NDArray[np.int32]
    """Number of items of the group of items that each first item stands for; 0 for the others."""

    complete: bool
    """Whether all pairs that may be alike were compared."""


@contextmanager
def group_duplicates(tables: Iterable[pa.Table], items: int, folder: Path) -> Iterator[DuplicateGroups]:
    """Group near-duplicates; the files of the index are removed at the end.

    Args:
        tables: the columns ``INDEXED`` of each part, in order.
        items: number of items.
        folder: folder for the files of the index; an older one is replaced.

    Raises:
        ConfigError: the extra ``data`` is not installed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield _group(_Arrays(folder), tables, items)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Arrays:
    """Arrays that are mapped from the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Create an array of zeros; an empty one has no file."""
        if not shape[0]:
            return np.zeros(shape, dtype=dtype)
        return np.memmap(self._folder / name, mode="w+", shape=shape, dtype=dtype)

    def create_union(self, name: str, count: int) -> UnionArray:
        """Create groups of one member each."""
        parents: Indices = self.create(name, (count,), np.int64)
        for start in range(0, count, CHUNK):
            end = min(start + CHUNK, count)
            parents[start:end] = np.arange(start, end)
        return UnionArray(parents)

    def open_list(self, name: str) -> Any:
        """Open a file that entries are appended to."""
        return (self._folder / name).open("wb")

    def map_list(self, name: str, dtype: DTypeLike) -> NDArray[Any]:
        """Map the entries of a file that was written to its end."""
        file = self._folder / name
        return np.memmap(file, mode="r", dtype=dtype) if file.stat().st_size else np.zeros(0, dtype=dtype)


def _group(arrays: _Arrays, tables: Iterable[pa.Table], items: int) -> DuplicateGroups:
    counts: NDArray[np.uint8] = arrays.create("counts", (items,), np.uint8)
    digests: Keys = arrays.create("digests", (items,), np.uint64)
    has_text = np.zeros(items, dtype=np.bool_)
    words = arrays.create("words", (items, PERMUTATIONS), np.uint8)
    letters = arrays.create("letters", (items, PERMUTATIONS), np.uint8)
    has_words, has_letters = np.zeros(items, dtype=np.bool_), np.zeros(items, dtype=np.bool_)
    with arrays.open_list("hashes") as hashes, arrays.open_list("owners") as owners:
        place = 0
        for table in tables:
            for row in table.select(INDEXED).to_pylist():
                of_row = np.array(row["picture_hashes"] or [], dtype=np.uint64)
                counts[place] = len(of_row)
                hashes.write(of_row.tobytes())
                owners.write(np.full(len(of_row), place, dtype=np.int64).tobytes())
                if row["text_digest"] is not None:
                    has_text[place], digests[place] = True, row["text_digest"]
                for name, kept, known in (("word", words, has_words), ("letter", letters, has_letters)):
                    if signature := row[f"{name}_signature"]:
                        kept[place], known[place] = np.frombuffer(signature, dtype=np.uint8), True
                place += 1
    picture_hashes: Keys = arrays.map_list("hashes", np.uint64)
    picture_owners: Indices = arrays.map_list("owners", np.int64)
    pictures = arrays.create_union("pictures", len(picture_hashes))
    complete = group_pictures(picture_hashes, pictures)
    texts = arrays.create_union("texts", items)
    group_equal(digests, has_text, texts)
    distinct = texts.list_roots()
    complete &= group_texts(words, has_words & distinct, WORDS_ALIKE, texts)
    complete &= group_texts(letters, has_letters & distinct, LETTERS_ALIKE, texts)
    picture_groups: Indices = arrays.create("picture_groups", (len(picture_hashes),), np.int64)
    text_groups: Indices = arrays.create("text_groups", (items,), np.int64)
    _flatten(pictures, picture_groups, picture_owners)
    _flatten(texts, text_groups, None)
    item_groups, sizes = _group_items(arrays, counts, has_text, text_groups, picture_groups)
    return DuplicateGroups(item_groups, text_groups, picture_groups, sizes, complete)


def _flatten(union: UnionArray, groups: Indices, owners: Indices | None) -> None:
    """Write the group of each member: its first member, or the item that this belongs to."""
    for start in range(0, len(groups), CHUNK):
        end = min(start + CHUNK, len(groups))
        roots = union.find(np.arange(start, end, dtype=np.int64))
        groups[start:end] = roots if owners is None else owners[roots]


def _group_items(
    arrays: _Arrays,
    counts: NDArray[np.uint8],
    has_text: NDArray[np.bool_],
    text_groups: Indices,
    picture_groups: Indices,
) -> tuple[Indices, NDArray[np.int32]]:
    """Group items whose words are alike, if they have any, and whose pictures are, in any order."""
    items = len(counts)
    keys: Keys = arrays.create("keys", (items,), np.uint64)
    position = 0
    for index in range(items):
        pictures = sorted(picture_groups[position : position + int(counts[index])].tolist())
        position += int(counts[index])
        text = int(text_groups[index]) if has_text[index] else None
        if pictures or text is not None:
            keys[index] = np.uint64(_hash_key((text, *pictures)))
    groups: Indices = arrays.create("items", (items,), np.int64)
    sizes: NDArray[np.int32] = arrays.create("sizes", (items,), np.int32)
    for start in range(0, items, CHUNK):
        end = min(start + CHUNK, items)
        groups[start:end] = np.arange(start, end)
        sizes[start:end] = 1

    def read_keys(part: slice) -> tuple[Indices, Keys]:
        indices = part.start + np.flatnonzero(keys[part] != _NOTHING).astype(np.int64)
        return indices, np.asarray(keys[indices])

    for equal in stream_equal(items, read_keys):
        groups[equal], sizes[equal], sizes[equal[0]] = equal[0], 0, len(equal)
    return groups, sizes


def _hash_key(parts: tuple[int | None, ...]) -> int:
    """Hash the groups of an item to 64 bits, never to the key of nothing."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little") | 1
