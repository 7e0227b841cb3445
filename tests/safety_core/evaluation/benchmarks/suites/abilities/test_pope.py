from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.evaluation.benchmarks.suites.abilities.pope import read_pope
from safety_core.evaluation.benchmarks.suites.abilities.question_rows import QuestionRow
from tests.helpers.benchmarks.ability_sets import write_pope
from tests.helpers.datasets.public_sets import write_text


def read(root: Path) -> list[QuestionRow]:
    rows = list(read_pope(root))
    assert not [row for row in rows if isinstance(row, SampleError)]
    return [row for row in rows if isinstance(row, QuestionRow)]


def test_each_split_is_a_category_and_each_picture_a_group(tmp_path: Path) -> None:
    rows = read(write_pope(tmp_path))
    assert len(rows) == 12
    assert {row.category for row in rows} == {"random", "popular", "adversarial"}
    assert len({row.id for row in rows}) == 12
    assert len({row.group for row in rows}) == 2
    first = next(row for row in rows if row.id == "random-1")
    assert first.text == "Is there a red square in the image? Answer yes or no."
    assert first.question.expected == "yes"


def test_one_file_is_read_beside_its_pictures(tmp_path: Path) -> None:
    file = write_pope(tmp_path) / "output" / "coco" / "coco_pope_random.json"
    (tmp_path / "val2014").rename(file.parent / "val2014")
    assert {row.category for row in read(file)} == {"random"}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"question_id": 1, "image": "gone.jpg", "text": "Is it?", "label": "yes"}', "image"),
        (
            '{"question_id": 1, "image": "../val2014/COCO_val2014_000000000001.jpg", "text": "Is?", "label": "no"}',
            "image",
        ),
        ('{"question_id": 1, "image": "a.jpg", "text": "Is it?", "label": "maybe"}', "label"),
        ("{", "record"),
    ],
)
def test_a_malformed_line_is_an_error_with_its_place(line: str, field: str, tmp_path: Path) -> None:
    write_pope(tmp_path)
    file = tmp_path / "output" / "coco" / "coco_pope_random.json"
    write_text(file, line + "\n")
    (error,) = [row for row in read_pope(tmp_path) if isinstance(row, SampleError)]
    assert (Path(error.file).name, error.line, error.field) == ("coco_pope_random.json", 1, field)


def test_a_folder_without_questions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="no file matches"):
        list(read_pope(tmp_path))
