"""LLaVA-Instruct: every ``*.json`` in the folder; each exchange becomes a sample with the turns before it.

Images are at the paths in the records, or in COCO's folder ``train2017``.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from safety_core.data.labels import SAFE
from safety_core.data.raw_samples import DatasetAdapter, RawSample, RawSamples, ReadOptions
from safety_core.data.readers.fields import FilledText, Identifier, SourceRecord
from safety_core.data.readers.files import find_files, find_image
from safety_core.data.readers.rows import convert_rows, read_json_rows
from safety_core.data.record_place import RecordPlace


def _list_names(value: object) -> object:
    return value if isinstance(value, list) else [value] if value else []


class _LLaVAInstructTurn(SourceRecord):
    """One turn of a conversation; turns alternate, the user's first."""

    value: FilledText


class _LLaVAInstructRecord(SourceRecord):
    """One conversation about images, or without any."""

    id: Identifier
    image: Annotated[list[str], BeforeValidator(_list_names)] = Field(default=[])
    conversations: list[_LLaVAInstructTurn]


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    for file in find_files(root, "*.json"):
        yield from convert_rows(read_json_rows(file), _LLaVAInstructRecord, partial(_convert_record, root=root))


def _convert_record(record: _LLaVAInstructRecord, place: RecordPlace, *, root: Path) -> Iterator[RawSample]:
    folders = (root, root / "train2017", root / "coco" / "train2017")
    images = tuple(find_image(*(folder / name for folder in folders)) for name in record.image)
    turns = tuple(turn.value.replace("<image>", "").strip() for turn in record.conversations)
    for end in range(2, len(turns) + 1, 2):
        yield RawSample(
            id=f"{record.id}-{end // 2}",
            images=images,
            turns=turns[:end],
            category="safe",
            text_category="safe",
            place=place,
        )


ADAPTER = DatasetAdapter(read=_read_samples, labels={"safe": SAFE})
