from collections.abc import Iterator
from pathlib import Path

import pytest

from safety_core.data.raw_samples import RawSample
from safety_core.data.readers.fields import FilledText, Identifier, SourceRecord
from safety_core.data.readers.rows import (
    convert_rows,
    read_csv_rows,
    read_json_fields,
    read_json_rows,
    read_jsonl_rows,
)
from safety_core.data.record_place import RecordPlace
from safety_core.errors import SampleError
from tests.helpers.datasets.public_sets import write_text


class Turn(SourceRecord):
    text: FilledText


class Record(SourceRecord):
    id: Identifier
    topic: str | None = None
    turns: list[Turn]


def convert(record: Record, place: RecordPlace) -> Iterator[RawSample]:
    yield RawSample(
        id=record.id,
        images=(),
        turns=tuple(turn.text for turn in record.turns),
        category=record.topic or "none",
        place=place,
    )


def test_a_malformed_row_yields_its_error_and_reading_continues(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    write_text(
        file,
        '{"id": 1, "turns": [{"text": "a"}], "topic": "b", "more": 1}\n'
        "\n"
        '{"id": "2", "turns": [{"text": "a"}, {"text": " "}]}\n'
        "{\n"
        "[]\n"
        '{"turns": []}\n'
        '{"id": "3", "turns": []}\n',
    )
    found = list(convert_rows(read_jsonl_rows(file), Record, convert))
    assert [one.id if isinstance(one, RawSample) else (one.line, one.field) for one in found] == [
        "1",
        (3, "turns[1].text"),
        (4, "record"),
        (5, "record"),
        (6, "id"),
        "3",
    ]
    assert isinstance(found[0], RawSample)
    assert (found[0].category, found[0].place.line) == ("b", 1)


def test_a_row_that_fails_halfway_yields_its_error_alone(tmp_path: Path) -> None:
    def convert_turns(record: Record, place: RecordPlace) -> Iterator[RawSample]:
        yield from convert(record, place)
        if len(record.turns) > 1:
            raise place.create_error("one turn is needed", "turns")

    file = tmp_path / "set.jsonl"
    write_text(file, '{"id": 1, "turns": [{"text": "a"}, {"text": "b"}]}\n{"id": 2, "turns": []}\n')
    error, sample = convert_rows(read_jsonl_rows(file), Record, convert_turns)
    assert isinstance(error, SampleError)
    assert error.field == "turns"
    assert isinstance(sample, RawSample)
    assert (sample.id, sample.category) == ("2", "none")


def test_rows_of_tables_and_lists_are_numbered(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", 'id,text\n1,"two\nlines"\n2,b\n')
    assert [(row.place.line, row.data) for row in read_csv_rows(tmp_path / "a.csv")] == [
        (3, {"id": "1", "text": "two\nlines"}),
        (4, {"id": "2", "text": "b"}),
    ]
    write_text(tmp_path / "a.json", '["x", "y"]')
    assert [(row.place.line, row.data) for row in read_json_rows(tmp_path / "a.json")] == [(1, "x"), (2, "y")]
    write_text(tmp_path / "b.json", '{"x": 5, "y": 6}')
    fields = read_json_fields(tmp_path / "b.json")
    assert {name: (row.place.line, row.data) for name, row in fields.items()} == {"x": (1, 5), "y": (2, 6)}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\x00\xff")
    for read in (read_csv_rows, read_jsonl_rows):
        for name in ("binary", "gone"):
            with pytest.raises(SampleError, match=name):
                list(read(tmp_path / name))
    for name in ("binary", "gone"):
        for read_json in (lambda file: list(read_json_rows(file)), read_json_fields):
            with pytest.raises(SampleError, match=rf"{name}:0: file: the file cannot be read"):
                read_json(tmp_path / name)
    write_text(tmp_path / "a.json", "{}")
    with pytest.raises(SampleError, match=r"a\.json:0: file: a list is needed"):
        list(read_json_rows(tmp_path / "a.json"))
    write_text(tmp_path / "a.json", "[]")
    with pytest.raises(SampleError, match=r"a\.json:0: file: an object is needed"):
        read_json_fields(tmp_path / "a.json")
