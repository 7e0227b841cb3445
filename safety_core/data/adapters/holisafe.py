"""HoliSafe-Bench, and sets in its form: a JSON list of pairs, and their images below ``images/``.

Each pair has a type of three letters, S (safe) or U (unsafe): of the image, of the query, and of both together. The
category of what is unsafe is the set's category with its subcategory.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from safety_core.data.labels import ADVICE, BULLYING, FAIRNESS, ILLEGAL, PRIVACY, SAFE, assign_label
from safety_core.data.raw_samples import DatasetAdapter, RawSample, RawSamples, ReadOptions
from safety_core.data.readers.fields import FilledText, Identifier, OptionalText, SourceRecord
from safety_core.data.readers.files import find_files, find_image
from safety_core.data.readers.rows import convert_rows, read_json_rows
from safety_core.data.record_place import RecordPlace


class _HoliSafeRecord(SourceRecord):
    """One image with one query."""

    id: Identifier
    image: FilledText
    query: FilledText
    type: Literal["SSS", "SSU", "SUU", "USU", "UUU"]
    category: FilledText
    subcategory: OptionalText = None


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    for file in find_files(root, "*.json"):
        yield from convert_rows(read_json_rows(file), _HoliSafeRecord, partial(_convert_record, root=root))


def _convert_record(record: _HoliSafeRecord, place: RecordPlace, *, root: Path) -> Iterator[RawSample]:
    harm = f"{record.category}/{record.subcategory}" if record.subcategory else record.category
    image, query, both = (harm if letter == "U" else "safe" for letter in record.type)
    yield RawSample(
        id=record.id,
        images=(find_image(root / "images" / record.image, root / record.image),),
        turns=(record.query,),
        category=both,
        image_category=image,
        text_category=query,
        meta={"subset": record.type},
        place=place,
    )


ADAPTER = DatasetAdapter(
    read=_read_samples,
    labels={
        "safe": SAFE,
        "hate": FAIRNESS,
        "hate/harassment": BULLYING,
        "violence/obscene_gestures": BULLYING,
        "privacy": PRIVACY,
        "specialized_advice": ADVICE,
        **assign_label(ILLEGAL, "violence", "illegal_activity", "self_harm", "sexual_content"),
    },
)
