from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from safety_core.data.record_place import RecordPlace
from safety_core.errors import SampleError

PLACE = RecordPlace(Path("set/a.json"), 3)


class Turn(BaseModel):
    text: str


class Record(BaseModel):
    id: str
    turns: list[Turn]


def translate(data: object) -> SampleError:
    with pytest.raises(ValidationError) as caught:
        Record.model_validate(data)
    return PLACE.translate_error(caught.value)


def test_an_error_names_file_line_and_field() -> None:
    error = PLACE.create_error("the image is missing", "image")
    assert (error.file, error.line, error.field) == (str(PLACE.file), 3, "image")
    assert str(error) == f"{PLACE.file}:3: image: the image is missing"


def test_a_place_without_a_line_is_the_whole_file() -> None:
    assert str(RecordPlace(Path("a.csv")).create_error("no file", "file")) == "a.csv:0: file: no file"


@pytest.mark.parametrize(
    ("data", "field", "problem"),
    [
        ({"id": 5, "turns": []}, "id", "a string is needed"),
        ({"id": "a", "turns": [{"text": "b"}, {"text": None}]}, "turns[1].text", "a string is needed"),
        ({"id": "a", "turns": [5]}, "turns[0]", "an object is needed"),
        ({"id": "a"}, "turns", "the field is missing"),
        ({}, "record", "the fields id and turns are missing"),
        ([], "record", "an object is needed"),
    ],
)
def test_a_rejected_field_is_named_by_its_path(data: object, field: str, problem: str) -> None:
    error = translate(data)
    assert (error.field, error.message, error.line) == (field, problem, 3)


def test_a_rejected_value_is_not_repeated() -> None:
    assert "SECRET" not in str(translate({"id": ["SECRET"], "turns": "SECRET"}))
