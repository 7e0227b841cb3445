import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from safety_core.audit_log.entries import AuditEntry, EntryKind
from safety_core.audit_log.queries import AuditQuery, read_entries
from safety_core.audit_log.store import AuditLog
from tests.helpers.datasets.audit_entries import make_decision


def test_nothing_changes_an_entry_and_only_the_oldest_can_go(log: AuditLog, path: Path) -> None:
    log.append([make_decision(str(index)) for index in range(3)])
    with closing(sqlite3.connect(path)) as file:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            file.execute("UPDATE entries SET decision = 'allowed'")
        with pytest.raises(sqlite3.IntegrityError, match="oldest end"):
            file.execute("DELETE FROM entries WHERE request_id = '1'")
    assert [entry.request_id for entry in read_entries(path)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("version", "later"),
    [(1, ("caller_request_id", "traceparent", "surface", "surfaces")), (2, ("surface", "surfaces"))],
)
def test_a_file_of_a_version_before_is_read_and_goes_on(tmp_path: Path, version: int, later: tuple[str, ...]) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        log.append([AuditEntry(kind=EntryKind.DECISION, request_id="old", endpoint="chat")])
    with closing(sqlite3.connect(path)) as file:
        for name in later:
            file.execute(f"ALTER TABLE entries DROP COLUMN {name}")
        file.execute(f"PRAGMA user_version = {version}")
    assert [entry.request_id for entry in read_entries(path, AuditQuery(request_id="old"))] == ["old"]
    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        new = AuditEntry(kind=EntryKind.DECISION, request_id="new", endpoint="chat", caller_request_id="theirs")
        log.append([replace(new, surface="lettering", surfaces={"image": 0.25, "lettering": 0.75})])
    assert [entry.request_id for entry in read_entries(path)] == ["old", "new"]
    for name in ("new", "theirs"):
        (entry,) = read_entries(path, AuditQuery(request_id=name))
        assert (entry.request_id, entry.surface) == ("new", "lettering")
        assert entry.surfaces == {"image": 0.25, "lettering": 0.75}
