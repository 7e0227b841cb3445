"""WebDataset archives: uncompressed tar files in which members with equal names before the first dot are one item.

``key.jpg`` (JPEG, PNG, WebP or GIF; several as ``key.left.jpg``) is a picture, ``key.txt`` the user's words, and
``key.json`` a record with named fields, from which the words come if there is no text. Other members are ignored.
Layout: github.com/webdataset/webdataset, ``README.md``.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from safety_core.data.adapters.tables.columns import USUAL_COLUMNS
from safety_core.data.filtering import LONGEST_ID
from safety_core.data.record_place import RecordPlace
from safety_core.dataset_audit.sources.fields import FieldReader
from safety_core.dataset_audit.sources.folder_source import PICTURE_SUFFIXES, decode_text
from safety_core.dataset_audit.sources.item import MAX_PICTURES, AuditItem, Cursor, FileRange, clean_text
from safety_core.inputs.conversation import Turn

_MAX_HEADER = 1 << 20
"""Maximum size in bytes of a header, which is read at once."""

_MAX_TEXT = 1 << 20
"""Maximum size in bytes of a text or a record."""


@dataclass(slots=True)
class _Group:
    """Neighbouring members with one key."""

    cursor: Cursor
    key: str
    pictures: list[FileRange] = field(default_factory=list)
    texts: list[FileRange] = field(default_factory=list)
    records: list[FileRange] = field(default_factory=list)
    damaged: bool = False
    """Whether the archive cannot be read from here on."""


@dataclass(frozen=True, slots=True)
class WebDatasetSource:
    """Members of tar files."""

    files: tuple[Path, ...]
    fields: FieldReader
    kind: str = "webdataset"

    def scan(self) -> Iterator[Cursor]:
        """Yield the position of every item; the rest of a damaged archive counts as one."""
        for index, file in enumerate(self.files):
            for group in _stream_groups(file, Cursor(index)):
                yield group.cursor

    def stream(self, start: Cursor) -> Iterator[AuditItem]:
        """Yield the items from a position on."""
        for index in range(start.file, len(self.files)):
            file = self.files[index]
            for group in _stream_groups(file, start if index == start.file else Cursor(index)):
                yield self._convert_group(group, file)

    def _convert_group(self, group: _Group, file: Path) -> AuditItem:
        archive = RecordPlace(file)
        if group.damaged:
            return self.fields.create_bad_item(archive, group.cursor, "the archive cannot be read from here on")
        key = clean_text(group.key[:LONGEST_ID])
        place = f"{self.fields.name_place(archive)}:{key}"
        words = problem = None
        try:
            words = self._read_words(group)
        except (OSError, ValueError):
            problem = "the text or record of the item cannot be read"
        if len(group.pictures) > MAX_PICTURES:
            problem = f"more than {MAX_PICTURES} pictures"
        elif words is None and not group.pictures and problem is None:
            problem = "the item has no picture and no text"
        return AuditItem(
            id=key,
            place=place,
            cursor=group.cursor,
            pictures=() if problem else tuple(group.pictures),
            turns=() if words is None else (Turn(role="user", text=words),),
            problem=problem,
        )

    def _read_words(self, group: _Group) -> str | None:
        """Read the user's words; None if there are none. Raises ValueError if they are malformed."""
        if group.texts:
            return decode_text(_read_member(group.texts[0]))
        for member in group.records:
            record = json.loads(_read_member(member))
            if not isinstance(record, dict):
                raise ValueError("an object is needed")
            names = [self.fields.columns["prompt"]] if "prompt" in self.fields.columns else _USUAL_NAMES
            text = next((record[name] for name in names if isinstance(record.get(name), str)), "")
            if text.strip():
                return clean_text(text)
        return None


_USUAL_NAMES = (*USUAL_COLUMNS["prompt"], "caption")


def _stream_groups(file: Path, start: Cursor) -> Iterator[_Group]:
    """Yield the items of an archive from the position of a member on."""
    group: _Group | None = None
    row = start.row
    for name, offset, member in _stream_members(file, start.offset):
        cursor = Cursor(start.file, offset, row)
        if member is None:
            if group is not None:
                yield group
                row += 1
            yield _Group(Cursor(start.file, offset, row), "", damaged=True)
            return
        folder, _, base = name.rpartition("/")
        stem, _, suffix = base.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        target = _choose_list(suffix.lower())
        if target is None or not stem:
            continue
        if group is None or group.key != key:
            if group is not None:
                yield group
                row += 1
            group = _Group(Cursor(cursor.file, offset, row), key)
        members: list[FileRange] = getattr(group, target)
        if len(members) <= MAX_PICTURES:  # one more than accepted tells that there are too many
            members.append(member)
    if group is not None:
        yield group


def _choose_list(suffix: str) -> str | None:
    """Choose what a member is by its suffix; None if it is nothing that is judged."""
    last = suffix.rpartition(".")[2]
    if f".{last}" in PICTURE_SUFFIXES:
        return "pictures"
    return {"txt": "texts", "text": "texts", "caption": "texts", "json": "records"}.get(last)


def _stream_members(file: Path, start: int) -> Iterator[tuple[str, int, FileRange | None]]:
    """Yield name, position and content of each plain file in an archive; no content where the archive is damaged.

    The archive is read as one that begins at ``start``, and forgets its members at once, which are as many as items.
    """
    offset = start
    try:
        with file.open("rb") as raw:
            raw.seek(start)
            with tarfile.open(fileobj=cast(BinaryIO, _HeaderStream(raw)), mode="r:") as archive:
                forgetful: Any = archive
                while (member := archive.next()) is not None:
                    forgetful.members = []
                    offset = member.offset
                    if member.isreg():
                        yield member.name, offset, FileRange(file, member.offset_data, member.size)
                offset = forgetful.offset
            raw.seek(offset)
            if any(raw.read(tarfile.BLOCKSIZE)):  # tarfile takes a damaged header for the end, which is of zeros
                yield "", offset, None
    except (OSError, ValueError, tarfile.TarError, EOFError):
        yield "", offset, None


class _HeaderStream:
    """A file whose headers have a bounded size: tarfile reads a header of any size at once."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes; raises ReadError if that is more than a header may have."""
        if size < 0 or size > _MAX_HEADER:
            raise tarfile.ReadError("a header is too large")
        return self._raw.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._raw.tell()


def _read_member(member: FileRange) -> bytes:
    if member.size > _MAX_TEXT:
        raise ValueError("the member is too large")
    with member.file.open("rb") as stream:
        stream.seek(member.offset)
        return stream.read(member.size)
