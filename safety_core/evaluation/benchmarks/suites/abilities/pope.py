"""POPE: ``*pope_{random,popular,adversarial}.json``, an object a line, and the images of COCO ``val2014``.

Source of the layout: ``AoiDragon/POPE``, ``README.md``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from safety_core.data.readers.fields import FilledText, Identifier, SourceRecord
from safety_core.data.readers.files import find_files
from safety_core.data.readers.rows import convert_rows, read_jsonl_rows
from safety_core.data.record_place import RecordPlace
from safety_core.evaluation.benchmarks.suites.abilities.question_rows import QuestionRow, QuestionRows, find_below
from safety_core.evaluation.benchmarks.suites.abilities.questions import Question, format_yes_no

IMAGE_FOLDERS = ("val2014", "images", "")


class _PopeRecord(SourceRecord):
    """One line."""

    question_id: Identifier
    image: FilledText
    text: FilledText
    label: Literal["yes", "no"]


def read_pope(root: Path) -> QuestionRows:
    """Read all splits below a folder, or one file.

    Raises:
        SampleError: there is no such file.
    """
    files = [root] if root.is_file() else find_files(root, "**/*pope_*.json", "**/*pope_*.jsonl")
    top = root.parent if root.is_file() else root
    folders = [top / name for name in IMAGE_FOLDERS]
    for file in files:
        split = file.stem.rpartition("pope_")[2]
        convert = partial(_convert_record, split=split, folders=(*folders, *(file.parent / n for n in IMAGE_FOLDERS)))
        yield from convert_rows(read_jsonl_rows(file), _PopeRecord, convert)


def _convert_record(
    record: _PopeRecord, place: RecordPlace, *, split: str, folders: tuple[Path, ...]
) -> list[QuestionRow]:
    image = find_below(record.image, *folders)
    if image is None:
        raise place.create_error("the image is in none of the folders val2014, images and that of the file", "image")
    name = f"{split}-{record.question_id}"
    return [
        QuestionRow(
            id=name,
            group=record.image,  # each picture has six questions in each split
            category=split,
            text=format_yes_no(record.text),
            image=image,
            question=Question(form="yes_no", expected=record.label),
            place=place,
        )
    ]
