import json
from pathlib import Path

import pytest

from safety_core.data.filtering import filter_records
from safety_core.errors import ConfigError, SampleError
from tests.helpers.datasets.sample_records import make_record, write_records


def write_entries(folder: Path, *entries: tuple[str, str]) -> Path:
    file = folder / "filter.jsonl"
    file.write_text("".join(json.dumps({"id": id, "reason": reason}) + "\n" for id, reason in entries))
    return file


def test_records_are_copied_as_they_stand(tmp_path: Path) -> None:
    data = write_records(tmp_path, *(make_record(id=str(number)) for number in range(5)))
    data.write_text(data.read_text() + "{broken\n")
    entries = write_entries(
        tmp_path,
        ("1", "refused"),
        ("2", "cautioned"),
        ("3", "duplicate"),
        ("data.jsonl:6", "unreadable"),
        ("elsewhere", "unjudged"),
    )
    out = tmp_path / "out.jsonl"
    report = filter_records(data, entries, out)
    lines = data.read_text().splitlines()
    assert out.read_text().splitlines() == [lines[0], lines[3], lines[4]]
    assert (report.kept, report.dropped, report.unknown) == (3, 3, 1)


def test_reasons_are_chosen(tmp_path: Path) -> None:
    data = write_records(tmp_path, make_record(id="1"), make_record(id="2"))
    entries = write_entries(tmp_path, ("1", "refused"), ("2", "duplicate"))
    report = filter_records(data, entries, tmp_path / "out.jsonl", reasons=["duplicate"])
    assert (report.kept, report.dropped) == (1, 1)
    with pytest.raises(ConfigError, match="reason: must be among"):
        filter_records(data, entries, tmp_path / "out.jsonl", reasons=["other"])


def test_a_higher_risk_can_be_required_of_decisions(tmp_path: Path) -> None:
    data = write_records(tmp_path, *(make_record(id=str(number)) for number in range(4)))
    entries = [("0", "refused", 0.99), ("1", "cautioned", 0.6), ("2", "unjudged", None)]
    file = tmp_path / "filter.jsonl"
    file.write_text(
        "".join(json.dumps(dict(zip(("id", "reason", "unsafe"), row, strict=True))) + "\n" for row in entries)
    )
    report = filter_records(data, file, tmp_path / "out.jsonl", least_risk=0.9)
    assert (report.kept, report.dropped) == (2, 2)


def test_a_list_of_another_file_is_an_error(tmp_path: Path) -> None:
    data = write_records(tmp_path, make_record(id="1"))
    with pytest.raises(ConfigError, match="no entry names a record"):
        filter_records(data, write_entries(tmp_path, ("x", "refused")), tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_paths_of_pictures_stay_right(tmp_path: Path) -> None:
    data = write_records(tmp_path, make_record(id="1"))
    entries = write_entries(tmp_path, ("1", "refused"))
    for out in (data, tmp_path / "sub" / "out.jsonl"):
        with pytest.raises(ConfigError, match="in the folder of"):
            filter_records(data, entries, out)


def test_an_id_that_occurs_twice_is_an_error(tmp_path: Path) -> None:
    data = write_records(tmp_path, make_record(id="1"), make_record(id="1"))
    with pytest.raises(SampleError, match="the id was left out in an earlier line"):
        filter_records(data, write_entries(tmp_path, ("1", "refused")), tmp_path / "out.jsonl")


def test_a_malformed_entry_is_an_error_with_its_line(tmp_path: Path) -> None:
    data = write_records(tmp_path, make_record(id="1"))
    entries = tmp_path / "filter.jsonl"
    entries.write_text('{"id": "1", "reason": "refused"}\n{"id": 1}\n')
    with pytest.raises(SampleError, match=r"filter.jsonl:2"):
        filter_records(data, entries, tmp_path / "out.jsonl")
