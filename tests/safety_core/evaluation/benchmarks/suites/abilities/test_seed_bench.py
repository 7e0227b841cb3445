import json
from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.evaluation.benchmarks.suites.abilities.question_rows import QuestionRow
from safety_core.evaluation.benchmarks.suites.abilities.seed_bench import read_seed_bench
from tests.helpers.benchmarks.ability_sets import write_seed_bench
from tests.helpers.datasets.public_sets import write_text


def test_questions_about_one_picture_are_read_and_others_left_out(tmp_path: Path) -> None:
    rows = [row for row in read_seed_bench(write_seed_bench(tmp_path)) if isinstance(row, QuestionRow)]
    assert [(row.id, row.category, row.question.expected) for row in rows] == [
        ("1", "Instances Counting", "A"),
        ("2", "Scene Understanding", "D"),
    ]
    assert rows[0].text == (
        "How many squares?\nA. One\nB. Two\nC. Three\nD. Four\nAnswer with the letter of the right option."
    )
    assert rows[0].group == rows[1].group, "one picture"


def test_the_second_version_names_pictures_in_lists(tmp_path: Path) -> None:
    file = write_seed_bench(tmp_path) / "SEED-Bench.json"
    content = json.loads(file.read_text())
    content["questions"][0] |= {"data_type": "Single Image", "data_id": ["1454426_2591111986"], "version": "v1"}
    content["questions"][1] |= {"data_type": "Multiple Images", "data_id": ["a.png", "b.png"]}
    write_text(file, json.dumps(content))
    assert [row.id for row in read_seed_bench(tmp_path) if isinstance(row, QuestionRow)] == ["1"]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"answer": "E"}, "answer"), ({"choice_c": ""}, "choice_c"), ({"data_id": "../../etc/hostname"}, "data_id")],
)
def test_malformed_questions_are_errors(change: dict[str, str], field: str, tmp_path: Path) -> None:
    file = write_seed_bench(tmp_path) / "SEED-Bench.json"
    content = json.loads(file.read_text())
    content["questions"][0] |= change
    write_text(file, json.dumps(content))
    (error,) = [row for row in read_seed_bench(tmp_path) if isinstance(row, SampleError)]
    assert (error.line, error.field) == (1, field)


@pytest.mark.parametrize("content", ["[]", "{", '{"questions": []}'])
def test_a_file_of_another_format_is_an_error(content: str, tmp_path: Path) -> None:
    write_text(tmp_path / "SEED-Bench.json", content)
    with pytest.raises(SampleError):
        list(read_seed_bench(tmp_path))
