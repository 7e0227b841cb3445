"""MMBench: a TSV file with the images in base64, and circular evaluation.

Columns: ``index``, ``question``, ``hint``, ``A`` to ``E``, ``answer``, ``category``, ``image``. Missing options and
hints are empty or ``nan``. A short ``image`` is the ``index`` of another row with the same image. A question with N
options is asked N times, its options rotated by one each time, and counts as right if every round is. Files whose rows
are rotated already (their index is that of the first round plus a multiple of 1,000,000) are asked as they are.

Sources: ``open-compass/MMBench``, ``README.md`` (circular evaluation, prompts); ``haotian-liu/LLaVA``,
``llava/eval/model_vqa_mmbench.py`` (missing values, rotation); ``open-compass/VLMEvalKit``,
``vlmeval/dataset/image_base.py`` and ``image_mcq.py`` (references between images, rotated files).
"""

from __future__ import annotations

import base64
import binascii
import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import Field

from safety_core.data.image_store import is_image
from safety_core.data.readers.fields import FilledText, SourceRecord
from safety_core.data.readers.files import find_files
from safety_core.data.readers.rows import SourceRow, convert_rows, read_csv_rows
from safety_core.data.record_place import RecordPlace
from safety_core.evaluation.benchmarks.suites.abilities.question_rows import QuestionRow, QuestionRows
from safety_core.evaluation.benchmarks.suites.abilities.questions import LETTERS, Question, format_choice
from safety_core.evaluation.benchmarks.suites.pictures import MAX_BYTES

ROTATED = 1_000_000
"""Step between the indices of the rounds of one question, in files with rotated rows."""

LONGEST_REFERENCE = 64
"""Longest content of ``image`` that is the index of another row."""

_MISSING = frozenset({"", "nan", "none"})


class _MMBenchRecord(SourceRecord):
    """One row; every cell is a string."""

    index: FilledText
    question: FilledText
    image: FilledText
    answer: str | None = None
    hint: str | None = None
    category: str | None = None
    a: str | None = Field(default=None, alias="A")
    b: str | None = Field(default=None, alias="B")
    c: str | None = Field(default=None, alias="C")
    d: str | None = Field(default=None, alias="D")
    e: str | None = Field(default=None, alias="E")

    def list_options(self) -> tuple[str, ...]:
        """List the options up to the first missing one."""
        options: list[str] = []
        for text in (self.a, self.b, self.c, self.d, self.e):
            if _is_missing(text):
                break
            assert text is not None, "a missing text is None"
            options.append(text)
        return tuple(options)


@dataclass(frozen=True, slots=True)
class _MMBenchTable:
    """What the rows of one file share."""

    images: dict[str, str]
    """Content of ``image`` by index, of rows that contain an image."""

    rotated: bool
    """Whether the file contains the rounds of each question."""


def read_mmbench(root: Path) -> QuestionRows:
    """Read all TSV files in a folder, or one file.

    Raises:
        SampleError: there is no such file, or it cannot be read.
    """
    for file in [root] if root.is_file() else find_files(root, "*.tsv"):
        with _accept_long_cells():
            rows = list(read_csv_rows(file))
        table = _index_images(rows)
        yield from convert_rows(rows, _MMBenchRecord, partial(_convert_record, table=table))


def _index_images(rows: list[SourceRow]) -> _MMBenchTable:
    cells = [row.data for row in rows if isinstance(row.data, dict)]
    images = {
        cell["index"]: cell["image"]
        for cell in cells
        if isinstance(cell.get("image"), str) and len(cell["image"]) > LONGEST_REFERENCE
    }
    indices = [int(cell["index"]) for cell in cells if str(cell.get("index")).isdecimal()]
    return _MMBenchTable(images=images, rotated=any(index >= ROTATED for index in indices))


def _convert_record(record: _MMBenchRecord, place: RecordPlace, *, table: _MMBenchTable) -> Iterator[QuestionRow]:
    options = record.list_options()
    answer = (record.answer or "").strip()
    if _is_missing(answer):
        raise place.create_error("the row has no answer; the test split keeps them secret, use the dev split", "answer")
    if len(options) < 2:
        raise place.create_error("at least two options are needed", "A")
    if answer not in LETTERS[: len(options)]:
        raise place.create_error("the letter of one of the options is needed", "answer")
    image = _decode_image(table.images.get(record.image, record.image), place)
    number, question = _find_round(record.index, rotated=table.rotated)
    hint = None if _is_missing(record.hint) else record.hint
    right = options[LETTERS.index(answer)]
    for turn in range(1 if table.rotated else len(options)):
        shown = (*options[turn:], *options[:turn])
        expected = LETTERS[(LETTERS.index(answer) - turn) % len(options)]
        assert shown[LETTERS.index(expected)] == right, "the letter follows its option"
        yield QuestionRow(
            id=f"{question}-{number + turn}",
            group=question,
            category=record.category or "-",
            text=format_choice(record.question, shown, hint=hint),
            image=image,
            question=Question(form="choice", expected=expected, options=shown),
            place=place,
        )


def _find_round(index: str, *, rotated: bool) -> tuple[int, str]:
    """Find the number of a row's round, from 0, and the name of its question."""
    if not rotated or not index.isdecimal():
        return 0, index
    number, question = divmod(int(index), ROTATED)
    return number, str(question)


def _decode_image(text: str, place: RecordPlace) -> bytes:
    if len(text) * 3 // 4 > MAX_BYTES:
        raise place.create_error(f"the image has more than {MAX_BYTES} bytes", "image")
    try:
        content = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise place.create_error("base64 is needed, or the index of a row with the image", "image") from exc
    if not is_image(content):
        raise place.create_error("the content is no image of an accepted format", "image")
    return content


def _is_missing(cell: str | None) -> bool:
    return cell is None or cell.strip().lower() in _MISSING


@contextmanager
def _accept_long_cells() -> Iterator[None]:
    """Let the csv module accept cells as long as an image; its limit belongs to the process."""
    before = csv.field_size_limit(2 * MAX_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)
