"""The audit log on the disk: what was written stays as it was, until it is old, whatever happens to the writer."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from safety_core.audit_log.store import AuditLog, Entry, Kind, Query, iso, read_entries
from safety_core.errors import ConfigError

DAY = 86400.0


def decision(name: str = "guard-1", **fields: object) -> Entry:
    return Entry(kind=Kind.DECISION, request_id=name, endpoint="chat", **fields)  # type: ignore[arg-type]


FULL = decision(
    time=1_700_000_000.25,
    item=2,
    key="shop",
    checkpoint="nano",
    policy="strict",
    policy_version="abc",
    decision="refused",
    reason=None,
    type="privacy",
    level=3,
    unsafe_probability=0.75,
    type_scores={"privacy": 0.9, "safe": 0.1},
    level_scores={"safe": 0.25},
    others={"trial": "allowed"},
    images=["a" * 64, "b" * 64],
    images_scanned=2,
)
REPLY = Entry(
    kind=Kind.REPLY, request_id="guard-1", endpoint="chat", finish_reason="stop", harmful=False, completion_tokens=7
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def log(path: Path) -> Iterator[AuditLog]:
    with AuditLog(path, max_age_s=30 * DAY, max_entries=100_000) as log:
        yield log


def test_entries_come_back_as_they_were_written(log: AuditLog, path: Path) -> None:
    log.append([FULL, REPLY])
    assert list(read_entries(path)) == [FULL, REPLY]
    assert FULL.to_dict()["time"] == "2023-11-14T22:13:20.250Z"
    assert "reason" not in FULL.to_dict()


def test_a_file_is_taken_up_again_and_is_its_owners_alone(path: Path) -> None:
    for _ in range(2):
        with AuditLog(path, max_age_s=DAY, max_entries=10) as log:
            log.append([decision()])
    assert len(list(read_entries(path))) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_changes_an_entry_and_only_the_oldest_can_go(log: AuditLog, path: Path) -> None:
    log.append([decision(str(index)) for index in range(3)])
    with closing(sqlite3.connect(path)) as file:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            file.execute("UPDATE entries SET decision = 'allowed'")
        with pytest.raises(sqlite3.IntegrityError, match="oldest end"):
            file.execute("DELETE FROM entries WHERE request_id = '1'")
    assert [entry.request_id for entry in read_entries(path)] == ["0", "1", "2"]


def test_all_of_a_batch_is_written_or_nothing(log: AuditLog, path: Path) -> None:
    with pytest.raises(sqlite3.Error):
        log.append([decision(), decision(level="three")])
    assert list(read_entries(path)) == []
    log.append([decision()])
    assert len(list(read_entries(path))) == 1


def test_old_entries_are_forgotten(log: AuditLog, path: Path) -> None:
    log.append([decision(str(age), time=100 * DAY - age * DAY) for age in (90, 31, 29, 0)])
    assert log.forget(now=100 * DAY) == 2
    assert [entry.request_id for entry in read_entries(path)] == ["29", "0"]
    assert log.forget(now=100 * DAY) == 0
    assert log.forget(now=1000 * DAY) == 2
    assert list(read_entries(path)) == []


def test_a_clock_that_went_back_keeps_what_is_young(log: AuditLog, path: Path) -> None:
    log.append([decision("future", time=99 * DAY), decision("past", time=1 * DAY), decision("now", time=100 * DAY)])
    assert log.forget(now=100 * DAY) == 0
    assert len(list(read_entries(path))) == 3


def test_too_many_entries_lose_the_oldest_and_the_file_stops_growing(path: Path) -> None:
    sizes = []
    with AuditLog(path, max_age_s=DAY, max_entries=2000) as log:
        for start in range(0, 80_000, 2000):
            log.append([decision(f"guard-{start + index}") for index in range(2000)])
            log.forget()
            sizes.append(sum(file.stat().st_size for file in path.parent.glob("audit.db*")))
    kept = [entry.request_id for entry in read_entries(path)]
    assert (len(kept), kept[0], kept[-1]) == (2000, "guard-78000", "guard-79999")
    assert max(sizes[20:]) <= 1.2 * max(sizes[:20])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), "abcd"),
        (Query(since=20), "bcd"),
        (Query(until=20), "a"),
        (Query(since=20, until=40), "bc"),
        (Query(kind="reply"), "d"),
        (Query(decision="refused"), "b"),
        (Query(key="shop", decision="allowed"), "a"),
        (Query(policy="strict"), "b"),
        (Query(type="privacy"), "b"),
        (Query(endpoint="classify"), "c"),
        (Query(request_id="c"), "c"),
        (Query(image="f" * 64), "b"),
        (Query(limit=2), "cd"),
        (Query(key="' OR 1=1 --"), ""),
    ],
)
def test_questions(log: AuditLog, path: Path, query: Query, found: str) -> None:
    log.append(
        [
            decision("a", time=10.0, key="shop", decision="allowed"),
            decision("b", time=20.0, decision="refused", policy="strict", type="privacy", images=["e" * 64, "f" * 64]),
            Entry(kind=Kind.DECISION, request_id="c", endpoint="classify", time=30.0),
            Entry(kind=Kind.REPLY, request_id="d", endpoint="chat", time=40.0),
        ]
    )
    assert "".join(entry.request_id for entry in read_entries(path, query)) == found


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
            (one if index % 2 else other).append([decision(str(index))])
    assert [entry.request_id for entry in read_entries(path)] == [str(index) for index in range(10)]


WRITER = """
import sys
from pathlib import Path
from safety_core.audit_log.store import AuditLog, Entry, Kind

with AuditLog(Path(sys.argv[1]), max_age_s=1e9, max_entries=50) as log:
    for index in range(10**9):
        log.append([Entry(kind=Kind.DECISION, request_id=f"{sys.argv[2]}-{index}", endpoint="chat")])
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


def test_moments_are_utc() -> None:
    assert iso(0.9996) == "1970-01-01T00:00:00.999Z"


# --- a file that changes under the log --------------------------------------------------------------------------------


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
        log.append([decision("other")])
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
        log.append([decision("before")])
        change(path)
        if noticed_by_check:
            log.check()
        log.append([decision("after")])
        assert log.renewals == 1
        found = [entry.request_id for entry in read_entries(path)]
        assert found == (["other", "after"] if change is replace_by_another else ["after"])
        log.append([decision("later")])
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

        connection = log._current()
        connection.set_trace_callback(removing)
        log.append([decision("a")])
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
                log.append([decision("a")])
        if obstacle == "directory":
            path.rmdir()
        else:
            remove_all(path)
        log.check(by_writing=True)
        log.append([decision("b")])
        assert [entry.request_id for entry in read_entries(path)] == ["b"]


@pytest.mark.parametrize("suffixes", [("-wal",), ("-shm",), ("-wal", "-shm")])
def test_entries_outlive_the_removal_of_side_files(tmp_path: Path, suffixes: tuple[str, ...]) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        log.append([decision("before")])
        for suffix in suffixes:
            Path(f"{path}{suffix}").unlink()
        log.append([decision("after")])
        assert [entry.request_id for entry in read_entries(path)] == ["before", "after"]
        log.append([decision("later")])
        assert [entry.request_id for entry in read_entries(path)] == ["before", "after", "later"]
        assert log.renewals == 1


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no plain file"):
        list(read_entries(tmp_path))


def test_a_file_that_was_cut_is_never_written_as_if_nothing_had_happened(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        for number in range(50):
            log.append([decision(str(number))])
        os.truncate(path, 0)
        try:
            log.append([decision("after")])
        except (ConfigError, sqlite3.Error):
            remove_all(path)
            log.append([decision("after")])
        assert [entry.request_id for entry in read_entries(path)][-1] == "after"


FULL_DISK = """
import resource, signal, sqlite3, sys
from pathlib import Path
from safety_core.audit_log.store import AuditLog, Entry, Kind, read_entries

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
with AuditLog(path, max_age_s=1e9, max_entries=10**6) as log:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    written = 0
    try:
        while True:
            log.append([Entry(kind=Kind.DECISION, request_id=str(written), endpoint="chat" * 1000)])
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
    log.append([Entry(kind=Kind.DECISION, request_id="last", endpoint="chat")])
    kept = [entry.request_id for entry in read_entries(path)]
assert written > 10 and failed == 2, (written, failed)
assert kept == [*map(str, range(written)), "last"]
"""


def test_a_full_disk_is_noticed_by_writing_and_nothing_is_lost(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path / "audit.db")], check=True, timeout=120)


def test_a_file_of_the_version_before_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        log.append([Entry(kind=Kind.DECISION, request_id="old", endpoint="chat")])
    with closing(sqlite3.connect(path)) as file:
        for name in ("caller_request_id", "traceparent"):
            file.execute(f"ALTER TABLE entries DROP COLUMN {name}")
        file.execute("PRAGMA user_version = 1")
    assert [entry.request_id for entry in read_entries(path, Query(request_id="old"))] == ["old"]
    with AuditLog(path, max_age_s=1e9, max_entries=100) as log:
        log.append([Entry(kind=Kind.DECISION, request_id="new", endpoint="chat", caller_request_id="theirs")])
    assert [entry.request_id for entry in read_entries(path)] == ["old", "new"]
    for name in ("new", "theirs"):
        assert [entry.request_id for entry in read_entries(path, Query(request_id=name))] == ["new"]
