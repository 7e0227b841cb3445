from pathlib import Path

import pytest

from safety_core.small.example_questions import QUESTIONS, list_questions
from tests.helpers.paths import ROOT

PICTURES = ROOT / "examples" / "small"


def test_every_question_comes_with_the_picture_that_it_names() -> None:
    questions = list_questions(PICTURES)
    assert [(one.file, one.prompt) for one in questions] == list(QUESTIONS)
    for one in questions:
        assert one.picture == (b"" if one.file is None else (PICTURES / one.file).read_bytes())


def test_one_photograph_is_asked_about_twice_and_one_question_has_none() -> None:
    files = [file for file, _ in QUESTIONS]
    assert files.count("chelsea.jpg") == 2
    assert None in files


def test_a_missing_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"chelsea\.jpg"):
        list_questions(tmp_path)
