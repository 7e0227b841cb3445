from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.evaluation.benchmarks.suites.abilities.mme import read_mme
from safety_core.evaluation.benchmarks.suites.abilities.question_rows import QuestionRow
from tests.helpers.benchmarks.ability_sets import write_mme, write_mme_table
from tests.helpers.datasets.public_sets import write_text


def read(root: Path) -> list[QuestionRow]:
    rows = list(read_mme(root))
    assert not [row for row in rows if isinstance(row, SampleError)]
    return [row for row in rows if isinstance(row, QuestionRow)]


def test_both_kinds_of_folders_are_read_and_results_are_not(tmp_path: Path) -> None:
    rows = read(write_mme(tmp_path / "MME_Benchmark_release_version"))
    assert [(row.id, row.group, row.category, row.question.expected) for row in rows] == [
        ("OCR/0001-1", "OCR/0001", "OCR", "yes"),
        ("OCR/0001-2", "OCR/0001", "OCR", "no"),
        ("OCR/0002-1", "OCR/0002", "OCR", "yes"),
        ("OCR/0002-2", "OCR/0002", "OCR", "no"),
        ("artwork/7-1", "artwork/7", "artwork", "yes"),
        ("artwork/7-2", "artwork/7", "artwork", "no"),
    ]
    assert rows[0].text == 'Is the word in the logo "north"? Please answer yes or no.', "its own instruction is kept"
    assert rows[1].text == 'Is it "south"? Answer yes or no.'
    assert rows[4].image == tmp_path / "MME_Benchmark_release_version/artwork/images/toy_dataset/7.png"


def test_a_table_gives_pairs_with_their_pictures(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rows = read(write_mme_table(tmp_path / "data"))
    assert [(row.id, row.group, row.question.expected) for row in rows] == [
        ("OCR/0001.jpg-1", "OCR/0001.jpg", "yes"),
        ("OCR/0001.jpg-2", "OCR/0001.jpg", "no"),
    ]
    assert isinstance(rows[0].image, bytes)


def test_a_line_without_an_answer_and_a_text_without_a_picture_are_errors(tmp_path: Path) -> None:
    write_mme(tmp_path)
    write_text(tmp_path / "OCR" / "0001.txt", "Is it?\tYes\nIs it not?\tperhaps\n")
    write_text(tmp_path / "OCR" / "0003.txt", "Is it?\tYes\n")
    errors = [row for row in read_mme(tmp_path) if isinstance(row, SampleError)]
    assert [(Path(error.file).name, error.line, error.field) for error in errors] == [
        ("0001.txt", 2, "record"),
        ("0003.txt", 0, "image"),
    ]
