"""SPA-VL: ``*.parquet`` files that contain the images, or ``*.jsonl`` files with the paths of the images.

The published training split has no classes: its category is ``unclassified``. The test split has no replies.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from safety_core.data.labels import FAIRNESS, ILLEGAL, MISLEADING, PRIVACY, assign_label
from safety_core.data.raw_samples import DatasetAdapter, RawSample, RawSamples, ReadOptions
from safety_core.data.readers.fields import FilledText, SourceRecord
from safety_core.data.readers.files import find_files, find_image
from safety_core.data.readers.parquet import read_parquet_rows, unwrap_image
from safety_core.data.readers.rows import convert_rows, read_jsonl_rows
from safety_core.data.record_place import RecordPlace


def _unwrap_image(value: object) -> object:
    """Return the content of an image, or else its path."""
    image = unwrap_image(value)
    if not image or not isinstance(image, bytes | str):
        raise ValueError("the content or the path of an image is needed")
    return image


class _SPAVLRecord(SourceRecord):
    """One question about one image."""

    image: Annotated[bytes | str, BeforeValidator(_unwrap_image)]
    question: FilledText
    reply: str | None = Field(default=None, alias="chosen")
    category: str | None = Field(default=None, alias="class1")


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    split = options.split
    for file in find_files(root, "*.parquet", "*/*.parquet", "*.jsonl"):
        if split is None or split in (file.stem, file.stem.partition("-")[0], file.parent.name):
            rows = read_parquet_rows(file) if file.suffix == ".parquet" else read_jsonl_rows(file)
            yield from convert_rows(rows, _SPAVLRecord, partial(_convert_record, root=root))


def _convert_record(record: _SPAVLRecord, place: RecordPlace, *, root: Path) -> Iterator[RawSample]:
    image = record.image
    yield RawSample(
        id=f"{place.file.stem}-{place.line}",
        images=(image if isinstance(image, bytes) else find_image(root / image, place.file.parent / image),),
        turns=(record.question, record.reply) if record.reply and record.reply.strip() else (record.question,),
        category=(record.category or "unclassified").lower(),
        place=place,
    )


ADAPTER = DatasetAdapter(
    read=_read_samples,
    splits=("train", "validation", "test", "harm", "help"),
    labels={
        "representation & toxicity harms": FAIRNESS,
        "misinformation harms": MISLEADING,
        "information & safety harms": PRIVACY,
        **assign_label(ILLEGAL, "malicious use", "human autonomy & integrity harms", "socioeconomic harms"),
    },
)
