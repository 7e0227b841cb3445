"""MME: a folder for each task with images and a text file of the same name, or Parquet files.

A text file has a line ``QUESTION<TAB>Yes`` or ``QUESTION<TAB>No`` for each of two questions about the image. Images and
texts lie side by side, or in ``images`` (or a folder in it) and ``questions_answers_YN``. The Parquet files have the
columns ``question_id``, ``image``, ``question``, ``answer`` and ``category``.

Sources: ``QwenLM/Qwen-VL``, ``eval_mm/mme/get_images.py`` (folders); ``EvolvingLMMs-Lab/lmms-eval``,
``lmms_eval/tasks/mme/utils.py`` (columns, pairs, scores).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from safety_core.data.readers.fields import FilledText, Identifier, SourceRecord
from safety_core.data.readers.files import find_files, find_images
from safety_core.data.readers.parquet import read_parquet_rows, unwrap_image
from safety_core.data.readers.rows import convert_rows
from safety_core.data.record_place import RecordPlace
from safety_core.errors import SampleError
from safety_core.evaluation.benchmarks.suites.abilities.question_rows import QuestionRow, QuestionRows, find_below
from safety_core.evaluation.benchmarks.suites.abilities.questions import Question, format_yes_no
from safety_core.files import describe_read_error, read_text

TEXTS_FOLDER, IMAGES_FOLDER = "questions_answers_YN", "images"


def _parse_answer(text: str) -> str:
    answer = text.strip().rstrip(".").lower()
    if answer not in ("yes", "no"):
        raise ValueError("yes or no is needed")
    return answer


class _MmeRecord(SourceRecord):
    """One row of a Parquet file."""

    question_id: Identifier
    question: FilledText
    answer: Annotated[FilledText, AfterValidator(_parse_answer)]
    category: FilledText
    image: object


def read_mme(root: Path) -> QuestionRows:
    """Read the tasks below a folder, from its Parquet files if it has any.

    Raises:
        SampleError: there is neither a Parquet file nor a task, or a file cannot be read.
        ConfigError: Parquet files need a library that is not installed.
    """
    tables = [root] if root.is_file() else sorted(path for path in root.rglob("*.parquet") if path.is_file())
    for table in tables:
        yield from _read_table(table, root)
    if not tables:
        yield from _read_folders(root)


def _read_table(table: Path, root: Path) -> QuestionRows:
    numbers: dict[str, int] = {}

    def convert(record: _MmeRecord, place: RecordPlace) -> list[QuestionRow]:
        pair = record.question_id if "/" in record.question_id else f"{record.category}/{record.question_id}"
        numbers[pair] = numbers.get(pair, 0) + 1
        image = unwrap_image(record.image)
        if isinstance(image, str):
            image = find_below(image, root if root.is_dir() else root.parent)
        if not isinstance(image, Path | bytes):
            raise place.create_error("the content of an image, or the path of a file, is needed", "image")
        row = _create_row(pair, numbers[pair], record.category, record.question, record.answer, image, place)
        return [row]

    yield from convert_rows(read_parquet_rows(table), _MmeRecord, convert)


def _read_folders(root: Path) -> QuestionRows:
    images: dict[Path, dict[str, Path]] = {}
    for file in find_files(root, "**/*.txt"):
        split = file.parent.name == TEXTS_FOLDER
        task = file.parent.parent if split else file.parent
        folder = task / IMAGES_FOLDER if split else task
        if folder not in images:
            images[folder] = {path.stem: path for path in find_images(folder)}
        if not images[folder]:
            continue  # a text that belongs to no task, such as the results in eval_tool
        if file.stem not in images[folder]:
            yield RecordPlace(file).create_error("there is no image of the same name", "image")
        else:
            yield from _read_pair(file, task.name, images[folder][file.stem])


def _read_pair(file: Path, task: str, image: Path) -> Iterator[QuestionRow | SampleError]:
    """Read the questions about one image."""
    try:
        lines = read_text(file).splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        yield RecordPlace(file).create_error(f"the file {describe_read_error(exc)}", "file")
        return
    filled = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    for count, (number, line) in enumerate(filled, start=1):
        place = RecordPlace(file, number)
        question, tab, answer = line.rpartition("\t")
        try:
            expected = _parse_answer(answer) if tab and question.strip() else None
        except ValueError:
            expected = None
        if expected is None:
            yield place.create_error("a question, a tab and Yes or No are needed", "record")
        else:
            yield _create_row(f"{task}/{file.stem}", count, task, question, expected, image, place)


def _create_row(
    pair: str, number: int, category: str, question: str, expected: str, image: Path | bytes, place: RecordPlace
) -> QuestionRow:
    return QuestionRow(
        id=f"{pair}-{number}",
        group=pair,
        category=category,
        text=format_yes_no(question),
        image=image,
        question=Question(form="yes_no", expected=expected),
        place=place,
    )
