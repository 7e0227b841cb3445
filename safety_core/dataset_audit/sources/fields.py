"""Makes items of records with named fields: the project's own records, and rows of tables. Knows no file format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_core.data.adapters.tables.columns import find_columns
from safety_core.data.filtering import LONGEST_ID
from safety_core.data.labelling.drafts import parse_draft
from safety_core.data.record_place import RecordPlace
from safety_core.dataset_audit.sources.item import MAX_PICTURES, AuditItem, Cursor, clean_text
from safety_core.errors import ConfigError, SampleError
from safety_core.inputs.conversation import Turn
from safety_core.taxonomy import Taxonomy

_LONGEST_PROBLEM = 200


@dataclass(frozen=True, slots=True)
class FieldReader:
    """Makes items of records.

    Args:
        root: the folder that places are relative to.
        columns: field → name of its column, as the user named them.
        taxonomy: bounds of the labels of the project's own records.
    """

    root: Path
    columns: Mapping[str, str]
    taxonomy: Taxonomy

    def name_place(self, place: RecordPlace) -> str:
        """Name a place as reports show it."""
        name = place.file.relative_to(self.root).as_posix() if place.file != self.root else place.file.name
        return clean_text(f"{name}:{place.line}" if place.line else name)

    def create_bad_item(self, place: RecordPlace, cursor: Cursor, problem: str, *, id: str = "") -> AuditItem:
        """Create an item that cannot be read."""
        name = self.name_place(place)
        chosen = id if len(id) <= LONGEST_ID else ""
        # Names of fields come from the item, so they may be of any length.
        return AuditItem(
            id=clean_text(chosen) or name, place=name, cursor=cursor, problem=clean_text(problem[:_LONGEST_PROBLEM])
        )

    def convert_line(self, text: str, place: RecordPlace, cursor: Cursor) -> AuditItem:
        """Make an item of a JSON object: one of the project's own records, or a row."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return self.create_bad_item(place, cursor, "the line is not valid JSON")
        if isinstance(data, dict) and "conversations" in data:
            return self._convert_record(text, place, cursor)
        return self.convert_row(data, place, cursor)

    def convert_row(self, data: object, place: RecordPlace, cursor: Cursor) -> AuditItem:
        """Make an item of a row with named columns."""
        if not isinstance(data, Mapping) or None in data:  # as csv.DictReader marks surplus cells
            return self.create_bad_item(place, cursor, "a row with named columns is needed")
        try:
            sample = find_columns(list(data), self.columns, place.file).convert_row(data, place)
        except ConfigError:
            return self.create_bad_item(place, cursor, "the record has no column of prompts or images")
        except SampleError as error:
            return self.create_bad_item(place, cursor, f"{error.field}: {error.message}")
        return self._create_item(sample.id, place, cursor, pictures=sample.images, texts=sample.turns[:1])

    def check_columns(self, header: list[str], file: Path) -> None:
        """Raise ConfigError if there is no column to judge, or one that the user named does not exist."""
        find_columns(header, self.columns, file)

    def _convert_record(self, text: str, place: RecordPlace, cursor: Cursor) -> AuditItem:
        try:
            draft = parse_draft(text, place, self.taxonomy)
        except SampleError as error:
            return self.create_bad_item(place, cursor, f"{error.field}: {error.message}", id=_read_id(text))
        sample = draft.sample
        label = (sample.label.type, sample.label.level) if draft.is_labelled else None
        item = self._create_item(sample.id, place, cursor, pictures=sample.images, turns=sample.turns, label=label)
        if item.problem is None and not item.pictures and not item.turns:
            return self.create_bad_item(place, cursor, "conversations: nothing of the user", id=sample.id)
        return item

    def _create_item(
        self,
        id: str,
        place: RecordPlace,
        cursor: Cursor,
        *,
        pictures: tuple[Any, ...],
        texts: tuple[str, ...] = (),
        turns: tuple[Turn, ...] = (),
        label: tuple[int, int] | None = None,
    ) -> AuditItem:
        if len(id) > LONGEST_ID:
            return self.create_bad_item(place, cursor, f"id: more than {LONGEST_ID} characters")
        if len(pictures) > MAX_PICTURES:
            return self.create_bad_item(place, cursor, f"image: more than {MAX_PICTURES} pictures", id=id)
        return AuditItem(
            id=clean_text(id),
            place=self.name_place(place),
            cursor=cursor,
            pictures=pictures,
            turns=turns or tuple(Turn(role="user", text=text) for text in texts),
            label=label,
        )


def _read_id(text: str) -> str:
    """Read the id of a malformed record, by which it can be left out; empty if it has none."""
    id = json.loads(text).get("id")
    return id if isinstance(id, str) else ""
