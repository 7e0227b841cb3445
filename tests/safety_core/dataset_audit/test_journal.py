from pathlib import Path

import pyarrow as pa
import pytest

from safety_core.dataset_audit.journal import AuditFolder, PartPlan
from safety_core.dataset_audit.sources.item import Cursor
from safety_core.errors import ConfigError


def open_folder(path: Path, parts: int = 3) -> AuditFolder:
    folder = AuditFolder(path)
    with folder.lock():
        for number in range(parts):
            folder.write_part(number, pa.table({"number": [number], "other": ["x"]}))
    return folder


def test_parts_are_read_in_order_and_by_column(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    assert folder.count_complete() == 3
    tables = list(folder.stream_parts(2, ["number"]))
    assert [table.to_pydict() for table in tables] == [{"number": [0]}, {"number": [1]}]


def test_a_last_entry_that_was_not_finished_is_forgotten(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    journal = tmp_path / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-5])
    assert folder.count_complete() == 2
    folder.write_part(2, pa.table({"number": [2], "other": ["x"]}))
    assert journal.read_bytes() == whole


def test_a_part_without_an_entry_is_written_again(tmp_path: Path) -> None:
    folder = open_folder(tmp_path, 1)
    (tmp_path / "parts" / "part-000001.parquet").write_bytes(b"half of it")
    assert folder.count_complete() == 1
    folder.write_part(1, pa.table({"number": [1]}))
    assert folder.count_complete() == 2


@pytest.mark.parametrize("change", ["remove", "damage"])
def test_a_part_that_changed_is_an_error(tmp_path: Path, change: str) -> None:
    folder = open_folder(tmp_path)
    file = tmp_path / "parts" / "part-000001.parquet"
    if change == "remove":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ConfigError, match=r"part-000001.parquet: the part is missing or was changed"):
        folder.count_complete()


def test_another_audit_is_not_continued(tmp_path: Path) -> None:
    folder = open_folder(tmp_path, 0)
    folder.require_same({"guard": "a", "batch": 3})
    folder.require_same({"guard": "a", "batch": 3})
    with pytest.raises(ConfigError, match="another audit: batch, guard differ"):
        folder.require_same({"guard": "b", "batch": 4})


def test_two_processes_do_not_write_one_audit(tmp_path: Path) -> None:
    with (
        AuditFolder(tmp_path).lock(),
        pytest.raises(ConfigError, match="another process"),
        AuditFolder(tmp_path).lock(),
    ):
        pass


def test_the_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = AuditFolder(tmp_path)
    assert folder.read_plan() is None
    plans = folder.write_plan((Cursor(0, 10 * row, row) for row in range(7)), 3)
    assert plans == [
        PartPlan(0, Cursor(0, 0, 0), 0, 3),
        PartPlan(1, Cursor(0, 30, 3), 3, 3),
        PartPlan(2, Cursor(0, 60, 6), 6, 1),
    ]
    assert folder.read_plan() == plans
    assert folder.write_plan(iter(()), 3) == []
