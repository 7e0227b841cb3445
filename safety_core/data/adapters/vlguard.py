"""VLGuard: ``train.json`` or ``test.json``; a safe image has a safe and an unsafe instruction."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from pydantic import Field

from safety_core.data.labels import BULLYING, FAIRNESS, ILLEGAL, MISLEADING, POLITICS, PRIVACY, SAFE, assign_label
from safety_core.data.raw_samples import DatasetAdapter, NamedLabel, RawSample, RawSamples, ReadOptions
from safety_core.data.readers.fields import FilledText, Identifier, OptionalText, SourceRecord
from safety_core.data.readers.files import find_first_file, find_image
from safety_core.data.readers.rows import convert_rows, read_json_rows
from safety_core.data.record_place import RecordPlace

_CATEGORIES: Mapping[str, NamedLabel] = {
    "political": POLITICS,
    "professional advice": ("misleading", 2),
    **assign_label(ILLEGAL, "sexually explicit", "violence", "risky behavior"),
    **assign_label(PRIVACY, "personal data", "privacy"),
    **assign_label(MISLEADING, "disinformation", "deception"),
    **assign_label(
        FAIRNESS, "sex", "race", "other", "discrimination by sex", "discrimination by race", "discrimination"
    ),
    "hateful speech": BULLYING,
}
"""Subcategories, and their parent categories for records without a subcategory."""

_LEAST_UNSAFE_LEVEL = 2
"""Minimum level of an unsafe instruction, because the set's answers decline it."""


class _VLGuardExchange(SourceRecord):
    """One instruction with its response."""

    safe_instruction: OptionalText = None
    unsafe_instruction: OptionalText = None
    instruction: OptionalText = None
    response: str | None = None
    """Empty for some records of the test split."""


class _VLGuardRecord(SourceRecord):
    """One image with its instructions."""

    id: Identifier
    image: FilledText
    safe: bool = False
    harmful_category: str | None = None
    harmful_subcategory: str | None = None
    exchanges: list[_VLGuardExchange] = Field(alias="instr-resp")

    @property
    def harm(self) -> str:
        """The most specific category; empty if the record has none."""
        return (self.harmful_subcategory or self.harmful_category or "").strip().lower()


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    file = find_first_file(
        root, *(("train.json", "test.json") if options.split is None else (f"{options.split}.json",))
    )
    folders = (root / file.stem, root, root / file.stem / file.stem)
    return convert_rows(read_json_rows(file), _VLGuardRecord, partial(_convert_record, folders=folders))


def _convert_record(record: _VLGuardRecord, place: RecordPlace, *, folders: tuple[Path, ...]) -> Iterator[RawSample]:
    image = find_image(*(folder / record.image for folder in folders))
    category = "safe" if record.safe else record.harm
    if not category:
        raise place.create_error("the field is missing", "harmful_subcategory")
    index = 0
    for exchange in record.exchanges:
        unsafe_category = f"unsafe instruction/{record.harm}" if record.harm else "unsafe instruction"
        instructions = [
            (exchange.safe_instruction, category),
            (exchange.unsafe_instruction, unsafe_category),
            (exchange.instruction, category),
        ]
        if not any(text for text, _ in instructions):
            raise place.create_error("the field is missing", "instruction")
        for text, text_category in instructions:
            if not text:
                continue
            response = exchange.response or ""
            yield RawSample(
                id=f"{record.id}-{index}",
                images=(image,),
                turns=(text, response) if response.strip() else (text,),
                category=text_category,
                image_category=category,
                place=place,
            )
            index += 1


ADAPTER = DatasetAdapter(
    read=_read_samples,
    splits=("train", "test"),
    labels={
        "safe": SAFE,
        **_CATEGORIES,
        # For records that do not name the category of the instruction.
        "unsafe instruction": ILLEGAL,
        **{
            f"unsafe instruction/{category}": (risk_type, max(level, _LEAST_UNSAFE_LEVEL))
            for category, (risk_type, level) in _CATEGORIES.items()
        },
    },
)
