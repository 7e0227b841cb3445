"""Fields that are accepted only where they change nothing, and numbers however they are written."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from service.api.schemas.fields import EMPTY, Neutral, accept_only, read_whole_numbers, tag_json_type
from service.ingress.validation import NOT_SUPPORTED


def accepts(neutral: Neutral, value: Any) -> bool:
    class Request(BaseModel):
        field: Annotated[Any, neutral] = None

    try:
        Request(field=value)
    except ValidationError as exc:
        return exc.errors()[0]["type"] != NOT_SUPPORTED
    return True


@pytest.mark.parametrize(
    ("neutral", "accepted", "rejected"),
    [
        (accept_only(), [None], [False, 0, "", [], {}]),
        (accept_only(False), [None, False], [True, 0, 0.0, ""]),
        (accept_only(0), [None, 0, 0.0], [False, 1, "0"]),
        (accept_only("none", "auto"), [None, "none", "auto"], ["None", "required", ["none"]]),
        (EMPTY, [None, "", [], {}, {"a": None, "b": []}], [" ", [None], {"a": {"b": ""}}, {"a": "text"}, 0]),
    ],
)
def test_only_neutral_values_are_accepted(neutral: Neutral, accepted: list[Any], rejected: list[Any]) -> None:
    assert [value for value in accepted if not accepts(neutral, value)] == []
    assert [value for value in rejected if accepts(neutral, value)] == []


@pytest.mark.parametrize(
    ("neutral", "told"),
    [(accept_only(), "null"), (accept_only(False), "false"), (accept_only("none", 1), "none or 1"), (EMPTY, "empty")],
)
def test_an_error_and_the_document_say_what_is_accepted(neutral: Neutral, told: str) -> None:
    class Request(BaseModel):
        field: Annotated[Any, neutral] = None

    with pytest.raises(ValidationError) as caught:
        Request(field="SECRET")
    message = caught.value.errors()[0]["msg"]
    assert told in message
    assert "SECRET" not in message
    described = Request.model_json_schema()["properties"]["field"]
    assert None in (described.get("enum") or described["anyOf"][0]["enum"])


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("a", "=string"),
        ([], "=array"),
        ({}, "=object"),
        (True, "=boolean"),
        (1, "=number"),
        (1.5, "=number"),
        (None, "=null"),
    ],
)
def test_a_union_takes_the_branch_of_the_json_type(value: Any, tag: str) -> None:
    assert tag_json_type(value) == tag


def test_whole_numbers_are_read_however_they_are_written_and_no_others() -> None:
    class Request(BaseModel):
        model_config = ConfigDict(strict=True)

        count: int
        _read = read_whole_numbers("count")

    assert Request.model_validate({"count": 5.0}).count == 5
    for other in (5.5, "5", True, float("inf"), None):
        with pytest.raises(ValidationError):
            Request.model_validate({"count": other})
