"""HarmBench: ``data/behavior_datasets/harmbench_behaviors_{text_all,multimodal_all}.csv`` of its repository, and the
pictures in ``data/multimodal_behavior_images/``, which are PNG files whatever the table calls them.

A contextual behaviour follows its context, divided from it as HarmBench's own code does.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from safety_core.data.labels import ILLEGAL, assign_label
from safety_core.data.raw_samples import DatasetAdapter, RawSample, RawSamples, ReadOptions
from safety_core.data.readers.fields import FilledText, SourceRecord
from safety_core.data.readers.files import find_files, find_image
from safety_core.data.readers.rows import convert_rows, read_csv_rows
from safety_core.data.record_place import RecordPlace

_FUNCTIONS = ("standard", "contextual", "copyright", "multimodal")

_FOLDERS = ("", "behavior_datasets/", "data/behavior_datasets/")
"""Folders of the tables, as seen from the folder that the user names."""


class _HarmBenchRecord(SourceRecord):
    """One behaviour."""

    behavior: FilledText = Field(alias="Behavior")
    id: FilledText = Field(alias="BehaviorID")
    function: Literal["standard", "contextual", "copyright", "multimodal"] = Field(alias="FunctionalCategory")
    category: FilledText = Field(alias="SemanticCategory")
    context: str | None = Field(default=None, alias="ContextString")
    image: str | None = Field(default=None, alias="ImageFileName")


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    files = find_files(root, *(f"{folder}harmbench_behaviors_*.csv" for folder in _FOLDERS))
    names = {file.stem for file in files}
    for file in files:
        kind, _, part = file.stem.removeprefix("harmbench_behaviors_").partition("_")
        if part != "all" and f"harmbench_behaviors_{kind}_all" in names:
            continue  # the table of all contains those of validation and test
        yield from convert_rows(read_csv_rows(file), _HarmBenchRecord, partial(_convert_record, split=options.split))


def _convert_record(record: _HarmBenchRecord, place: RecordPlace, *, split: str | None) -> Iterator[RawSample]:
    if split is not None and record.function != split:
        return
    context = (record.context or "").strip()
    yield RawSample(
        id=record.id,
        images=(_find_picture(record.image, place),) if record.image else (),
        turns=(f"{context}\n\n---\n\n{record.behavior}" if context else record.behavior,),
        category=record.category,
        meta={"subset": record.function},
        place=place,
    )


def _find_picture(name: str, place: RecordPlace) -> Path:
    folder = place.file.parent.parent / "multimodal_behavior_images"
    beside = place.file.parent / "multimodal_behavior_images"
    stored = Path(name).with_suffix(".png").name
    return find_image(folder / stored, beside / stored, folder / name, beside / name)


ADAPTER = DatasetAdapter(
    read=_read_samples,
    splits=_FUNCTIONS,
    labels={
        **assign_label(ILLEGAL, "illegal", "cybercrime_intrusion", "chemical_biological", "harmful"),
        "harassment_bullying": ("insults_bullying", 3),
        "misinformation_disinformation": ("misleading", 3),
        # The text of a song or a book: refusing is right, and so is declining with a summary.
        "copyright": ("illegal", 2),
    },
)
