"""The audit log on the disk: what was written stays as it was, until it is old, whatever happens to the writer."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from safety_core.audit_log.queries import read_entries
from safety_core.audit_log.store import AuditLog
from safety_core.errors import ConfigError
from tests.helpers.datasets.audit_entries import DAY, FULL, REPLY, make_decision


def test_entries_come_back_as_they_were_written(log: AuditLog, path: Path) -> None:
    log.append([FULL, REPLY])
    assert list(read_entries(path)) == [FULL, REPLY]


def test_a_file_is_taken_up_again_and_is_its_owners_alone(path: Path) -> None:
    for _ in range(2):
        with AuditLog(path, max_age_s=DAY, max_entries=10) as log:
            log.append([make_decision()])
    assert len(list(read_entries(path))) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_all_of_a_batch_is_written_or_nothing(log: AuditLog, path: Path) -> None:
    with pytest.raises(sqlite3.Error):
        log.append([make_decision(), make_decision(level="three")])
    assert list(read_entries(path)) == []
    log.append([make_decision()])
    assert len(list(read_entries(path))) == 1


def test_old_entries_are_forgotten(log: AuditLog, path: Path) -> None:
    log.append([make_decision(str(age), time=100 * DAY - age * DAY) for age in (90, 31, 29, 0)])
    assert log.forget(now=100 * DAY) == 2
    assert [entry.request_id for entry in read_entries(path)] == ["29", "0"]
    assert log.forget(now=100 * DAY) == 0
    assert log.forget(now=1000 * DAY) == 2
    assert list(read_entries(path)) == []


def test_a_clock_that_went_back_keeps_what_is_young(log: AuditLog, path: Path) -> None:
    log.append(
        [
            make_decision("future", time=99 * DAY),
            make_decision("past", time=1 * DAY),
            make_decision("now", time=100 * DAY),
        ]
    )
    assert log.forget(now=100 * DAY) == 0
    assert len(list(read_entries(path))) == 3


def test_too_many_entries_lose_the_oldest_and_the_file_stops_growing(path: Path) -> None:
    sizes = []
    with AuditLog(path, max_age_s=DAY, max_entries=2000) as log:
        for start in range(0, 80_000, 2000):
            log.append([make_decision(f"guard-{start + index}") for index in range(2000)])
            log.forget()
            sizes.append(sum(file.stat().st_size for file in path.parent.glob("audit.db*")))
    kept = [entry.request_id for entry in read_entries(path)]
    assert (len(kept), kept[0], kept[-1]) == (2000, "guard-78000", "guard-79999")
    assert max(sizes[20:]) <= 1.2 * max(sizes[:20])


def test_what_is_no_audit_log_is_refused(path: Path, tmp_path: Path) -> None:
    path.write_text("something else entirely, and long enough to be looked at as a database file" * 20)
    with pytest.raises(ConfigError, match="cannot be written"):
        AuditLog(path, max_age_s=DAY, max_entries=10)
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_entries(path))
    with pytest.raises(ConfigError, match="cannot be written"):
        AuditLog(tmp_path / "nowhere" / "audit.db", max_age_s=DAY, max_entries=10)
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_entries(tmp_path / "gone.db"))
    assert not (tmp_path / "gone.db").exists()
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as file:
        file.execute("PRAGMA user_version = 7")
    with pytest.raises(ConfigError, match="cannot be written"):
        AuditLog(other, max_age_s=DAY, max_entries=10)


def test_two_writers_share_a_file(path: Path) -> None:
    with AuditLog(path, max_age_s=DAY, max_entries=99) as one, AuditLog(path, max_age_s=DAY, max_entries=99) as other:
        for index in range(10):
            (one if index % 2 else other).append([make_decision(str(index))])
    assert [entry.request_id for entry in read_entries(path)] == [str(index) for index in range(10)]


WRITER = """
import sys
from pathlib import Path
from safety_core.audit_log.entries import AuditEntry, EntryKind
from safety_core.audit_log.store import AuditLog

with AuditLog(Path(sys.argv[1]), max_age_s=1e9, max_entries=50) as log:
    for index in range(10**9):
        log.append([AuditEntry(kind=EntryKind.DECISION, request_id=f"{sys.argv[2]}-{index}", endpoint="chat")])
        print(index, flush=True)
        if index % 40 == 0:
            log.forget()
"""


def test_a_killed_writer_loses_nothing_that_it_had_written(path: Path) -> None:
    rng = Random(0)
    for attempt in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(attempt)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(rng.randint(1, 120)):
            writer.stdout.readline()
        time.sleep(rng.random() / 100)
        os.kill(writer.pid, signal.SIGKILL)
        written = [int(line) for line in writer.stdout.read().split()]
        writer.wait()
        writer.stdout.close()
        entries = [entry.request_id for entry in read_entries(path)]
        ours = [int(name.split("-")[1]) for name in entries if name.startswith(f"{attempt}-")]
        assert ours, "it was killed before it wrote"
        assert ours == list(range(ours[0], ours[-1] + 1))
        assert not written or ours[-1] >= written[-1]
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


FULL_DISK = """
import resource, signal, sqlite3, sys
from pathlib import Path
from safety_core.audit_log.entries import AuditEntry, EntryKind
from safety_core.audit_log.queries import read_entries
from safety_core.audit_log.store import AuditLog

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
with AuditLog(path, max_age_s=1e9, max_entries=10**6) as log:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    written = 0
    try:
        while True:
            log.append([AuditEntry(kind=EntryKind.DECISION, request_id=str(written), endpoint="chat" * 1000)])
            written += 1
    except sqlite3.Error:
        pass
    failed = 0
    for _ in range(2):
        try:
            log.check(by_writing=True)
        except sqlite3.Error:
            failed += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    log.check(by_writing=True)
    log.append([AuditEntry(kind=EntryKind.DECISION, request_id="last", endpoint="chat")])
    kept = [entry.request_id for entry in read_entries(path)]
assert written > 10 and failed == 2, (written, failed)
assert kept == [*map(str, range(written)), "last"]
"""


def test_a_full_disk_is_noticed_by_writing_and_nothing_is_lost(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path / "audit.db")], check=True, timeout=120)
