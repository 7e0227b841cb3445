"""Rows of tables whose columns the user may name: which column holds which field, and the sample of a row.

Knows no file format.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_core.data.image_store import is_image
from safety_core.data.labels import BULLYING, FAIRNESS, ILLEGAL, MISLEADING, POLITICS, PRIVACY, SAFE
from safety_core.data.raw_samples import NamedLabel, RawSample, RawSamples
from safety_core.data.readers.parquet import unwrap_image
from safety_core.data.readers.rows import SourceRow
from safety_core.data.record_place import RecordPlace
from safety_core.errors import ConfigError, SampleError

TYPE_LABELS: Mapping[str, NamedLabel] = {
    name: (name, level) for name, level in (SAFE, ILLEGAL, POLITICS, BULLYING, FAIRNESS, PRIVACY, MISLEADING)
}
"""Labels of categories that are named like risk types."""

USUAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "prompt": ("prompt", "question", "instruction", "text"),
    "reply": ("reply", "response", "answer"),
    "image": ("image", "image_path", "file"),
    "category": ("category", "type", "label"),
    "level": ("level",),
}
"""Field → columns that hold it unless the user names another; the first that exists."""

FIELDS = tuple(USUAL_COLUMNS)

_LONGEST_PATH = 1024
"""Most characters of a path: a wrong column may contain texts, which no message must show."""

_SHOWN, _LONGEST_NAME = 20, 40
"""Most names of columns in a message, and the most characters of one: a table without a header begins with texts."""


@dataclass(frozen=True, slots=True)
class TableColumns:
    """The column of each field that a table has."""

    names: Mapping[str, str]

    def convert_row(self, row: Mapping[str, Any], place: RecordPlace) -> RawSample:
        """Convert a row to a sample.

        Raises:
            SampleError: a field is malformed, or the row has neither a prompt nor an image.
        """
        prompt, reply = self._read_text(row, "prompt", place), self._read_text(row, "reply", place)
        images = tuple(self._list_images(row, place))
        if prompt is None and not images:
            raise place.create_error("a row needs a prompt, an image or both", "prompt")
        return RawSample(
            id=self._read_text(row, "id", place) or f"{place.file.stem}-{place.line}",
            images=images,
            turns=() if prompt is None else (prompt,) if reply is None else (prompt, reply),
            category=self._read_text(row, "category", place),
            level=self._read_text(row, "level", place),
            place=place,
        )

    def _get(self, row: Mapping[str, Any], field: str) -> Any:
        return row.get(self.names[field]) if field in self.names else None

    def _read_text(self, row: Mapping[str, Any], field: str, place: RecordPlace) -> str | None:
        """Read a text; None if the cell is missing or blank. Numbers and truth values become texts."""
        value = self._get(row, field)
        if value is None:
            return None
        if isinstance(value, float):
            if math.isnan(value):
                return None
            value = int(value) if value.is_integer() else value
        if not isinstance(value, str | int | float):
            raise place.create_error("a text or a number is needed", self.names[field])
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return text if text.strip() else None

    def _list_images(self, row: Mapping[str, Any], place: RecordPlace) -> Iterator[Path | bytes]:
        value = self._get(row, "image")
        for image in _list_entries(value):
            content = unwrap_image(image)
            if isinstance(content, str) and content.strip() and len(content) <= _LONGEST_PATH:
                yield place.file.parent / content.strip()
            elif isinstance(content, bytes) and is_image(content):
                yield content
            else:
                message = "the path, or the content of a JPEG, PNG, WebP or GIF file, is needed"
                raise place.create_error(message, self.names["image"])


def _list_entries(value: Any) -> Sequence[Any]:
    """List the images of a cell: one, or a list of them; none of an empty cell. A text may be a JSON list."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return [value]
    if isinstance(value, list):
        return value
    return [] if value is None or (isinstance(value, str) and not value.strip()) else [value]


def convert_tables(tables: Iterable[Iterable[SourceRow]], chosen: Mapping[str, str]) -> RawSamples:
    """Yield the samples of tables, or an error in the place of each malformed row.

    Args:
        tables: the rows of each table; those of one table have the same columns.
        chosen: field → column, as the user named them.

    Raises:
        ConfigError: a column does not exist, or there is neither one of prompts nor one of images.
    """
    for table in tables:
        columns: TableColumns | None = None
        for row in table:
            if not isinstance(row.data, Mapping):
                yield row.place.create_error("a row with named columns is needed", "record")
                continue
            if None in row.data:  # as csv.DictReader marks surplus cells
                yield row.place.create_error("the row has more cells than the header", "record")
                continue
            columns = columns or find_columns(list(row.data), chosen, row.place.file)
            try:
                yield columns.convert_row(row.data, row.place)
            except SampleError as error:
                yield error


def find_columns(header: Sequence[str], chosen: Mapping[str, str], file: Path) -> TableColumns:
    """Find the column of each field; case does not matter in those that the user did not name.

    Raises:
        ConfigError: a column that the user named does not exist, or there is neither one of prompts nor one of images.
    """
    for field, column in chosen.items():
        if column not in header:
            raise ConfigError(f"{file}: column {column!r} of {field} is not among {_list_names(header)}")
    folded = {name.strip().lower(): name for name in reversed(header)}
    names = dict(chosen)
    for field, usual in USUAL_COLUMNS.items():
        found = next((folded[name] for name in usual if name in folded), None)
        if field not in names and found is not None and found not in chosen.values():
            names[field] = found
    if not {"prompt", "image"} & set(names):
        raise ConfigError(
            f"{file}: no column holds prompts or images; name one with --column prompt=NAME, of {_list_names(header)}"
        )
    return TableColumns(names)


def _list_names(header: Sequence[str]) -> list[str]:
    return [name if len(name) <= _LONGEST_NAME else f"({len(name)} characters)" for name in header[:_SHOWN]]
