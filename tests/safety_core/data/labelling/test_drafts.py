from pathlib import Path

import pytest

from safety_core.data.labelling.drafts import Draft, stream_drafts
from safety_core.errors import SampleError
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.sample_records import make_record, write_records


def without_label(**changes: object) -> dict[str, object]:
    record = make_record(**changes)
    return {name: value for name, value in record.items() if name not in ("safe_type", "safe_level")}


def read(path: Path) -> list[Draft]:
    drafts = list(stream_drafts(path, DEFAULT_TAXONOMY))
    assert all(isinstance(draft, Draft) for draft in drafts)
    return [draft for draft in drafts if isinstance(draft, Draft)]


def test_records_may_lack_their_label(folder: Path) -> None:
    null = make_record(id="two", safe_type=None, safe_level=None)
    path = write_records(folder, make_record(), null, without_label(id="three"))
    drafts = read(path)
    assert [draft.is_labelled for draft in drafts] == [True, False, False]
    assert drafts[0].sample.label.level == 2
    assert drafts[1].record == null
    assert [turn.text for turn in drafts[2].sample.turns] == ["What is this?"]


def test_a_label_is_whole_or_not_there(folder: Path) -> None:
    path = write_records(folder, make_record(safe_level=None), make_record(id="two", safe_type=None))
    errors = [error for error in stream_drafts(path, DEFAULT_TAXONOMY) if isinstance(error, SampleError)]
    assert [(error.line, error.field) for error in errors] == [(1, "safe_level"), (2, "safe_type")]


@pytest.mark.parametrize(
    ("record", "field"),
    [("[]", "record"), ([], "record"), (without_label(image="gone.png"), "image"), (without_label(id=""), "id")],
)
def test_all_else_is_validated(folder: Path, record: object, field: str) -> None:
    (error,) = stream_drafts(write_records(folder, record), DEFAULT_TAXONOMY)
    assert isinstance(error, SampleError)
    assert error.field == field


def test_ids_are_unique(folder: Path) -> None:
    _, error = stream_drafts(write_records(folder, without_label(), make_record()), DEFAULT_TAXONOMY)
    assert isinstance(error, SampleError)
    assert "line 1" in error.message


def test_a_key_changes_with_the_content_alone(folder: Path) -> None:
    other = make_record(id="two", conversations=[{"from": "USER", "value": "What is that?"}])
    one, two = read(write_records(folder, make_record(), other))
    assert one.compute_key() != two.compute_key()
    (again,) = read(write_records(folder, dict(reversed(make_record().items()))))
    assert again.compute_key() == one.compute_key()
    assert one.compute_key().isalnum()
    assert one.compute_key()[0].isalpha()
