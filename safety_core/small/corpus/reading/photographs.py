"""Reads ``photos.jsonl`` and its photographs into records. Looks at no pixels."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError

from safety_core.data.readers.fields import FilledText, SourceRecord
from safety_core.data.readers.rows import read_jsonl_rows
from safety_core.data.record_place import RecordPlace
from safety_core.errors import SampleError
from safety_core.small.corpus.labels.photographs import PHOTO_RULES, categorize_captions, find_photo_rule
from safety_core.small.corpus.labels.words import ASSETS
from safety_core.small.corpus.records import Box, Record


@cache
def read_coco_classes() -> tuple[str, ...]:
    """Read the names of the classes of COCO's boxes, by number."""
    return tuple((ASSETS / "coco_classes.txt").read_text(encoding="utf-8").splitlines())


class _PhotoRow(SourceRecord):
    """One line of ``photos.jsonl``."""

    file: FilledText
    set: FilledText
    label: str = ""
    captions: list[FilledText] = Field(default_factory=list)
    boxes: list[list[float]] | None = Field(default=None, alias="boxes_class_cx_cy_w_h")


def read_photographs(data: Path) -> Iterator[Record]:
    """Yield the records of all photographs; none if there is no ``photos.jsonl``.

    Raises:
        SampleError: a line is malformed, or its photograph does not exist.
    """
    file = data / "photos.jsonl"
    if not file.is_file():
        return
    seen: set[str] = set()
    for row in read_jsonl_rows(file):
        if isinstance(row, SampleError):
            raise row
        try:
            record = _convert_row(_PhotoRow.model_validate(row.data), row.place, data)
        except ValidationError as exc:
            raise row.place.translate_error(exc) from exc
        if record.id in seen:
            raise row.place.create_error("another photograph of the set has the same file name", "file")
        seen.add(record.id)
        yield record


def _convert_row(row: _PhotoRow, place: RecordPlace, data: Path) -> Record:
    photo = data / row.file
    if row.set not in PHOTO_RULES:
        raise place.create_error(f"unknown set; known are {sorted(PHOTO_RULES)}", "set")
    if not photo.is_file():
        raise place.create_error("there is no such photograph", "file")
    boxes = tuple(_convert_box(box, place) for box in row.boxes or ())
    named = categorize_captions(row.captions) if row.captions else row.label
    categories = tuple(dict.fromkeys(box.name for box in boxes)) or (named,)
    rule = find_photo_rule(row.set, categories)
    return Record(
        id=f"{row.set}/{photo.stem}",
        source=row.set,
        surface="photo",
        label=rule.label,
        photo=photo,
        category=named,
        kind=rule.kind,
        topic=row.label,
        captions=tuple(" ".join(caption.split()) for caption in row.captions),
        boxes=boxes,
    )


def _convert_box(numbers: list[float], place: RecordPlace) -> Box:
    classes = read_coco_classes()
    if len(numbers) != 5 or not 0 <= numbers[0] < len(classes) or not all(0 <= one <= 1 for one in numbers[1:]):
        message = "a class number and four shares between 0 and 1 are needed"
        raise place.create_error(message, "boxes_class_cx_cy_w_h")
    number, centre_x, centre_y, width, height = numbers
    name = classes[int(number)]
    return Box(name=name, centre_x=centre_x, centre_y=centre_y, width=width, height=height)
