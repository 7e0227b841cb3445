"""Folders of pictures and texts: ``name.jpg`` is a picture, ``name.txt`` a text, both together in one folder a pair.

The names are sorted once, on disk, and frozen in a listing: a resumed audit sees the same items in the same order.
"""

from __future__ import annotations

import heapq
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TextIO

from safety_core.data.record_place import RecordPlace
from safety_core.dataset_audit.sources.fields import FieldReader
from safety_core.dataset_audit.sources.item import AuditItem, Cursor, clean_text, read_picture
from safety_core.dataset_audit.sources.lines import stream_lines
from safety_core.errors import ImageError
from safety_core.files import open_atomically
from safety_core.inputs.conversation import MAX_PROMPT_CHARACTERS, Turn

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif"})
TEXT_SUFFIXES = frozenset({".txt"})

_SORTED_AT_ONCE = 1 << 16
"""Names that are sorted in memory at a time."""

_MAX_TEXT = 4 * MAX_PROMPT_CHARACTERS
"""Maximum size in bytes of a text: no guard judges a longer one."""

_Name = tuple[str, str, str]
"""Folder, name without suffix, and suffix."""


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Files below a folder.

    Args:
        files: the listing, one line for each item.
        fields: names places.
    """

    files: tuple[Path, ...]
    fields: FieldReader
    kind: str = "folder"

    def scan(self) -> Iterator[Cursor]:
        """Yield the position of every item in the listing."""
        for line in stream_lines(self.files[0], Cursor()):
            yield line.cursor

    def stream(self, start: Cursor) -> Iterator[AuditItem]:
        """Yield the items from a position on."""
        for line in stream_lines(self.files[0], start):
            yield self._create_item(json.loads(line.content), line.cursor)

    def _create_item(self, names: list[str], cursor: Cursor) -> AuditItem:
        pictures, texts = _divide(self.fields.root / name for name in names)
        first = clean_text(names[0])
        if len(pictures) + len(texts) > 1 and (len(pictures) > 1 or len(texts) > 1):
            return self.fields.create_bad_item(
                RecordPlace(self.fields.root / names[0]), cursor, "several pictures or texts of one name", id=first
            )
        try:
            turns = tuple(Turn(role="user", text=decode_text(read_picture(text, _MAX_TEXT))) for text in texts)
        except (ImageError, ValueError):
            place = RecordPlace(self.fields.root / names[-1])
            return self.fields.create_bad_item(place, cursor, "the text cannot be read, or is too long", id=first)
        return AuditItem(id=first, place=first, cursor=cursor, pictures=tuple(pictures), turns=turns)


def decode_text(content: bytes) -> str:
    """Decode a file of the user's words; raises ValueError if it is no UTF-8 text, or is blank."""
    text = content.decode("utf-8-sig")
    if not text.strip():
        raise ValueError("the text is blank")
    return text


def write_listing(root: Path, listing: Path) -> int:
    """Write the items below a folder, one line each, sorted by folder and name; returns their number."""
    count = 0
    with ExitStack() as stack, open_atomically(listing) as stream:
        names = heapq.merge(*_sort_in_chunks(_walk(root), stack))
        for _, group in groupby(names, key=lambda name: name[:2]):
            for paths in _split_group([os.path.join(folder, stem + suffix) for folder, stem, suffix in group]):
                stream.write(json.dumps(paths) + "\n")
                count += 1
    return count


def _split_group(paths: list[str]) -> Iterator[list[str]]:
    """Yield files of one name as items: a picture and a text are a pair, files of the same sort are several items."""
    pictures, texts = _divide(map(Path, paths))
    if len(pictures) == 1 and len(texts) == 1:
        yield [str(pictures[0]), str(texts[0])]
    else:
        yield from ([path] for path in paths)


def _divide(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Divide files into pictures and texts."""
    known = list(paths)
    texts = [path for path in known if path.suffix.lower() in TEXT_SUFFIXES]
    return [path for path in known if path not in texts], texts


def _walk(root: Path) -> Iterator[_Name]:
    """Yield the files to judge below a folder, in any order, without following links to folders."""
    with ExitStack() as stack:
        open_folders = [("", stack.enter_context(os.scandir(root)))]
        while open_folders:
            folder, entries = open_folders[-1]
            entry = next(entries, None)
            if entry is None:
                open_folders.pop()[1].close()
            elif entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            elif entry.is_dir(follow_symlinks=False):
                open_folders.append((os.path.join(folder, entry.name), stack.enter_context(os.scandir(entry.path))))
            else:
                stem, suffix = os.path.splitext(entry.name)
                if suffix.lower() in PICTURE_SUFFIXES | TEXT_SUFFIXES:
                    yield folder, stem, suffix


def _sort_in_chunks(names: Iterator[_Name], stack: ExitStack) -> list[Iterator[_Name]]:
    """Sort names in chunks that are kept in temporary files."""
    chunks: list[Iterator[_Name]] = []
    while chunk := sorted(islice(names, _SORTED_AT_ONCE)):
        file: TextIO = stack.enter_context(tempfile.TemporaryFile("w+", encoding="ascii"))  # noqa: SIM115
        file.writelines(json.dumps(name) + "\n" for name in chunk)
        file.seek(0)
        chunks.append(_read_names(file))
    return chunks


def _read_names(file: TextIO) -> Iterator[_Name]:
    for line in file:
        folder, stem, suffix = json.loads(line)
        yield folder, stem, suffix
