import base64
import csv
import os
from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import SampleError
from safety_core.evaluation.benchmarks.suites.abilities.mmbench import read_mmbench
from safety_core.evaluation.benchmarks.suites.abilities.question_rows import QuestionRow
from tests.helpers.benchmarks.ability_sets import encode_picture, write_mmbench


def read(root: Path) -> list[QuestionRow]:
    rows = list(read_mmbench(root))
    assert not [row for row in rows if isinstance(row, SampleError)]
    return [row for row in rows if isinstance(row, QuestionRow)]


def test_each_question_is_asked_once_for_each_place_of_its_answer(tmp_path: Path) -> None:
    rows = read(write_mmbench(tmp_path))
    assert [(row.id, row.group, row.question.expected) for row in rows] == [
        ("241-0", "241", "A"),
        ("241-1", "241", "D"),
        ("241-2", "241", "C"),
        ("241-3", "241", "B"),
        ("252-0", "252", "B"),
        ("252-1", "252", "A"),
    ]
    assert rows[1].question.options == ("blue", "green", "white", "red")
    assert rows[1].text.splitlines() == [
        "Which colour is it?", "A. blue", "B. green", "C. white", "D. red",
        "Answer with the letter of the right option.",
    ]  # fmt: skip
    assert rows[4].text.startswith("It has corners.\nIs it round?\nA. yes\nB. no\n")


def test_a_row_may_refer_to_the_picture_of_another(tmp_path: Path) -> None:
    rows = read(write_mmbench(tmp_path))
    assert {row.image for row in rows} == {encode_picture(side=64)}


def test_files_with_rotated_rows_are_not_rotated_again(tmp_path: Path) -> None:
    rows = read(write_mmbench(tmp_path, rotated=True))
    assert [(row.id, row.group, row.question.expected) for row in rows] == [
        ("241-0", "241", "A"),
        ("252-0", "252", "B"),
        ("252-1", "252", "A"),
    ]


def test_a_long_picture_is_read_and_the_limit_of_the_csv_module_is_restored(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    noise = encode_picture() + os.urandom(200_000)
    rows = read(write_mmbench(tmp_path, image=base64.b64encode(noise).decode()))
    assert rows[0].image == noise
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"answer": ""}, "answer"),
        ({"answer": "E"}, "answer"),
        ({"B": "nan"}, "A"),
        ({"image": "!" * 100}, "image"),
        ({"image": "aGVsbG8="}, "image"),
    ],
)
def test_malformed_rows_are_errors(changes: dict[str, Any], field: str, tmp_path: Path) -> None:
    errors = [row for row in read_mmbench(write_mmbench(tmp_path, **changes)) if isinstance(row, SampleError)]
    assert errors[0].field == field
