"""SEED-Bench: ``SEED-Bench.json`` with a list of questions, and a folder of images.

The questions about one image are read: ``data_type`` is ``image`` in the first version and ``Single Image`` in the
second. Questions about videos, several images and generated ones are left out, because the systems here take no videos
and the order of interleaved images is no conversation. Source of the layout: ``AILab-CVC/SEED-Bench``, ``DATASET.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from safety_core.data.readers.fields import FilledText, Identifier, SourceRecord
from safety_core.data.readers.files import find_first_file
from safety_core.data.readers.rows import SourceRow, convert_rows
from safety_core.data.record_place import RecordPlace
from safety_core.evaluation.benchmarks.suites.abilities.question_rows import QuestionRow, QuestionRows, find_below
from safety_core.evaluation.benchmarks.suites.abilities.questions import Question, format_choice
from safety_core.files import describe_read_error, read_json

FILES = ("SEED-Bench.json", "SEED-Bench_v2.json", "SEED-Bench_v2_level1_2_3.json")
IMAGE_FOLDERS = ("SEED-Bench-image", "cc3m-image", "SEED-Bench-2-image", "")
ONE_IMAGE = frozenset({"image", "Single Image"})


class _SeedFile(SourceRecord):
    """The whole file."""

    questions: list[object]
    question_type: dict[str, int]


class _SeedKind(SourceRecord):
    """What decides whether a question is read."""

    data_type: str
    data_id: object


class _SeedRecord(SourceRecord):
    """One question about one image."""

    question_id: Identifier
    question: FilledText
    choice_a: FilledText
    choice_b: FilledText
    choice_c: FilledText
    choice_d: FilledText
    answer: Literal["A", "B", "C", "D"]
    data_id: FilledText | list[FilledText]
    question_type_id: int


def read_seed_bench(root: Path) -> QuestionRows:
    """Read the questions about one image.

    Raises:
        SampleError: the file is missing or has another format.
    """
    file = root if root.is_file() else find_first_file(root, *FILES)
    place = RecordPlace(file)
    try:
        content = _SeedFile.model_validate(read_json(file))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as exc:
        raise place.create_error(f"the file {describe_read_error(exc, 'JSON')}", "file") from exc
    except ValidationError as exc:
        raise place.translate_error(exc) from exc
    names = {number: name for name, number in content.question_type.items()}
    rows = (SourceRow(RecordPlace(file, number), data) for number, data in enumerate(content.questions, start=1))
    folders = tuple(file.parent / name for name in IMAGE_FOLDERS)
    yield from convert_rows(_keep_one_image(rows), _SeedRecord, partial(_convert_record, names=names, folders=folders))


def _keep_one_image(rows: Iterator[SourceRow]) -> Iterator[SourceRow]:
    """Leave out well-formed questions about anything but one image; malformed ones are reported later."""
    for row in rows:
        try:
            kind = _SeedKind.model_validate(row.data)
        except ValidationError:
            yield row
            continue
        many = isinstance(kind.data_id, list) and len(kind.data_id) != 1
        if kind.data_type in ONE_IMAGE and not many:
            yield row


def _convert_record(
    record: _SeedRecord, place: RecordPlace, *, names: dict[int, str], folders: tuple[Path, ...]
) -> list[QuestionRow]:
    name = record.data_id if isinstance(record.data_id, str) else record.data_id[0]
    image = find_below(name, *folders)
    if image is None:
        raise place.create_error(f"the image is in none of the folders {list(IMAGE_FOLDERS[:-1])}", "data_id")
    options = (record.choice_a, record.choice_b, record.choice_c, record.choice_d)
    return [
        QuestionRow(
            id=record.question_id,
            group=name,
            category=names.get(record.question_type_id, str(record.question_type_id)),
            text=format_choice(record.question, options),
            image=image,
            question=Question(form="choice", expected=record.answer, options=options),
            place=place,
        )
    ]
