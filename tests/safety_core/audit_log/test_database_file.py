"""A database file that is removed, replaced or truncated while the audit log is open."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from safety_core.audit_log.queries import read_entries
from safety_core.audit_log.store import AuditLog
from safety_core.errors import ConfigError
from tests.helpers.datasets.audit_entries import make_decision


def remove(path: Path) -> None:
    path.unlink()


def remove_all(path: Path) -> None:
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()


def replace_by_nothing(path: Path) -> None:
    empty = path.with_name("empty")
    empty.touch()
    empty.rename(path)


def replace_by_another(path: Path) -> None:
    other = path.with_name("other.db")
    with AuditLog(other, max_age_s=1e9, max_entries=100) as log:
        log.append([make_decision("other")])
    other.rename(path)


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


@pytest.mark.parametrize("change", [remove, remove_all, replace_by_nothing, replace_by_another, move])
@pytest.mark.parametrize("noticed_by_check", [True, False])
def test_what_is_written_stands_in_the_file_that_the_path_names(
    tmp_path: Path, change: Callable[[Path], None], noticed_by_check: bool
) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        log.append([make_decision("before")])
        change(path)
        if noticed_by_check:
            log.check()
        log.append([make_decision("after")])
        assert log.renewals == 1
        found = [entry.request_id for entry in read_entries(path)]
        assert found == (["other", "after"] if change is replace_by_another else ["after"])
        log.append([make_decision("later")])
        assert log.renewals == 1
    if change is move:
        assert [entry.request_id for entry in read_entries(path.with_name("moved.db"))] == ["before"]
    assert [entry.request_id for entry in read_entries(path)][-2:] == ["after", "later"]


def test_a_file_that_is_replaced_while_an_entry_is_written_gets_it_too(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"

    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        commits = 0

        def removing(statement: str) -> None:
            nonlocal commits
            if statement == "COMMIT":
                commits += 1
                if commits == 1:
                    path.unlink()

        connection = log._file.connect()
        connection.set_trace_callback(removing)
        log.append([make_decision("a")])
    assert [one.request_id for one in read_entries(path)] == ["a"]


@pytest.mark.parametrize("obstacle", ["directory", "garbage", "another version"])
def test_where_no_other_file_can_be_begun_nothing_is_written_until_it_can(tmp_path: Path, obstacle: str) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        remove_all(path)
        if obstacle == "directory":
            path.mkdir()
        elif obstacle == "garbage":
            path.write_bytes(b"no database at all" * 1000)
        else:
            with closing(sqlite3.connect(path)) as other:
                other.execute("PRAGMA user_version = 99")
        for _ in range(2):
            with pytest.raises(ConfigError, match="cannot be written"):
                log.check()
            with pytest.raises(ConfigError, match="cannot be written"):
                log.append([make_decision("a")])
        if obstacle == "directory":
            path.rmdir()
        else:
            remove_all(path)
        log.check(by_writing=True)
        log.append([make_decision("b")])
        assert [entry.request_id for entry in read_entries(path)] == ["b"]


@pytest.mark.parametrize("suffixes", [("-wal",), ("-shm",), ("-wal", "-shm")])
def test_entries_outlive_the_removal_of_side_files(tmp_path: Path, suffixes: tuple[str, ...]) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        log.append([make_decision("before")])
        for suffix in suffixes:
            Path(f"{path}{suffix}").unlink()
        log.append([make_decision("after")])
        assert [entry.request_id for entry in read_entries(path)] == ["before", "after"]
        log.append([make_decision("later")])
        assert [entry.request_id for entry in read_entries(path)] == ["before", "after", "later"]
        assert log.renewals == 1


def test_a_file_that_was_cut_is_never_written_as_if_nothing_had_happened(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        for number in range(50):
            log.append([make_decision(str(number))])
        os.truncate(path, 0)
        try:
            log.append([make_decision("after")])
        except (ConfigError, sqlite3.Error):
            remove_all(path)
            log.append([make_decision("after")])
        assert [entry.request_id for entry in read_entries(path)][-1] == "after"
