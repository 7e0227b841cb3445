"""Entries in SQLite: appended, read, and deleted from the oldest end; never changed.

An entry is on the disk when :meth:`AuditLog.append` returns: the file is in WAL mode and every commit is
synced, so neither ``kill -9`` nor a power cut loses it. A file that is removed or replaced under the log is noticed
before and after every commit: writing continues in the file that is then at the path, so that no entry is lost with a
deleted file. Pictures are stored as digests, prompts and replies not at all.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Self

from safety_core.errors import ConfigError

_VERSION = 2
"""``PRAGMA user_version`` of the files written here."""

_ADDED = {2: ("caller_request_id", "traceparent")}
"""Columns that each version added to the one before it."""

_CHUNK = 5000
"""Entries that are forgotten at a time, so that nobody waits long for the file."""

_TRIES = 3
"""How often an entry is written again because the file was replaced meanwhile."""

_PROBE_BYTES = 65_536
"""Bytes written to check for free space."""

_WAIT_S = 10.0
"""Longest wait for another process that writes."""

_SCHEMA = """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    {columns}
) STRICT;
CREATE INDEX entries_by_time ON entries (time);
CREATE INDEX entries_by_request ON entries (request_id);
CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entries_go_from_the_oldest_end BEFORE DELETE ON entries
    WHEN OLD.number > (SELECT MIN(number) FROM entries)
    BEGIN SELECT RAISE(ABORT, 'entries go from the oldest end'); END;
"""


class Kind(StrEnum):
    """What an entry tells of a request."""

    DECISION = "decision"
    REPLY = "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision, or how a reply ended; fields that say nothing of it are None."""

    kind: Kind
    request_id: str
    endpoint: str
    item: int = 0
    """Which text of a moderation, or which choice of a completion."""

    time: float = field(default_factory=time.time)
    """Seconds since 1970."""

    key: str | None = None
    """Name of the API key."""

    checkpoint: str | None = None
    policy: str | None = None
    policy_version: str | None = None
    decision: str | None = None
    reason: str | None = None
    type: str | None = None
    level: int | None = None
    unsafe_probability: float | None = None
    type_scores: Mapping[str, float] | None = None
    level_scores: Mapping[str, float] | None = None
    others: Mapping[str, str] | None = None
    """Decisions of policies without consequences."""

    images: Sequence[str] | None = None
    """SHA-256 of each picture's bytes."""

    images_scanned: int | None = None
    finish_reason: str | None = None
    harmful: bool | None = None
    """Whether the reply turned harmful on its way."""

    completion_tokens: int | None = None
    caller_request_id: str | None = None
    """The caller's identifier of the request; several requests may have the same."""

    traceparent: str | None = None
    """W3C trace context of the caller."""

    def to_dict(self) -> dict[str, Any]:
        """Everything that it says, as JSON; the time in ISO 8601, UTC."""
        data = {name: getattr(self, name) for name in FIELDS}
        return {name: value for name, value in (data | {"time": iso(self.time)}).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which entries are wanted; None wants all."""

    since: float | None = None
    """Seconds since 1970, inclusive."""

    until: float | None = None
    """Seconds since 1970, exclusive."""

    kind: str | None = None
    request_id: str | None = None
    """The server's identifier of a request, or its caller's."""

    endpoint: str | None = None
    key: str | None = None
    policy: str | None = None
    decision: str | None = None
    type: str | None = None
    image: str | None = None
    """SHA-256 of a picture."""

    limit: int | None = None
    """How many, the newest ones."""


FIELDS = tuple(one.name for one in fields(Entry))
"""Names of an entry's fields, in the order of the file's columns."""

_KINDS = {"item": "INTEGER", "time": "REAL", "level": "INTEGER", "unsafe_probability": "REAL"}
_KINDS |= dict.fromkeys(("images_scanned", "harmful", "completion_tokens"), "INTEGER")
_NEEDED = frozenset({"kind", "request_id", "endpoint", "item", "time"})
_JSON = frozenset({"type_scores", "level_scores", "others", "images"})
_EQUAL = ("kind", "endpoint", "key", "policy", "decision", "type")


class _Identity(NamedTuple):
    """Identity of the file at a path."""

    inode: tuple[int, int]
    """Device and number."""

    size: int
    """Size in bytes; our databases never shrink."""


class AuditLog:
    """One file of entries, open for writing; to be used by one thread at a time.

    Args:
        path: the file; made where it is not there, for its owner's eyes only.
        max_age_s: seconds after which an entry is forgotten.
        max_entries: how many are kept.

    Raises:
        ConfigError: it cannot be opened, or is none of ours.
    """

    def __init__(self, path: Path, *, max_age_s: float, max_entries: int) -> None:
        self._path = path
        self._max_age_s = max_age_s
        self._max_entries = max_entries
        self._connection: sqlite3.Connection | None = None
        self._identity: _Identity | None = None
        self._side_files: dict[str, tuple[int, int]] = {}
        self._renewals = 0
        self._open()

    @property
    def renewals(self) -> int:
        """How often a new file was started because the previous one was removed, replaced or truncated."""
        return self._renewals

    def check(self, *, by_writing: bool = False) -> None:
        """Make sure that entries can be written to the file that the path names.

        Args:
            by_writing: write and delete some data, which is the only way to detect a full disk.

        Raises:
            ConfigError: the file is missing and a new one cannot be created.
            sqlite3.Error: it cannot be written.
        """
        file = self._current()
        if by_writing:
            # More than one entry takes: a page or two may still fit on a disk that is full.
            with _transaction(file):
                file.execute("CREATE TABLE IF NOT EXISTS is_there_room (data)")
                file.execute("DELETE FROM is_there_room")
                file.execute("INSERT INTO is_there_room VALUES (zeroblob(?))", (_PROBE_BYTES,))
            with _transaction(file):
                file.execute("DROP TABLE is_there_room")

    def _current(self) -> sqlite3.Connection:
        """The open file, which is the one that the path names; raises ConfigError."""
        if self._connection is not None and self._is_in_place():
            return self._connection
        renewed = self._connection is not None
        self._leave()
        self._open()
        self._renewals += renewed
        assert self._connection is not None
        return self._connection

    def _is_in_place(self) -> bool:
        """Whether the path still names the open file, with its side files, and the file was not truncated."""
        known, found = self._identity, _identity_of(self._path)
        if known is None or found is None or found.inode != known.inode or found.size < known.size:
            return False
        # Entries that are not in the file yet are in its side files: without them nobody else could read it.
        if any(_inode_of(self._side_file(suffix)) != inode for suffix, inode in self._side_files.items()):
            return False
        self._identity = found
        return True

    def _leave(self) -> None:
        """Close a file that is no longer at the path; its entries stay in it."""
        if self._connection is None:
            return
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with suppress(sqlite3.Error):
            self._connection.close()
        self._connection = None
        # SQLite leaves the side files of a database that was moved. The next one would take them for its own.
        for suffix, inode in self._side_files.items():
            side = self._side_file(suffix)
            if _inode_of(side) == inode:
                side.unlink(missing_ok=True)

    def _open(self) -> None:
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            # Autocommit: transactions are begun and ended in so many words.
            file = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            try:
                self._set_up(file)
            except BaseException:
                file.close()
                raise
        except (OSError, sqlite3.Error) as exc:
            raise ConfigError(f"audit log: {self._path.name} cannot be written") from exc
        self._connection = file
        self._identity = _identity_of(self._path)
        self._side_files = {
            suffix: inode for suffix in ("-wal", "-shm") if (inode := _inode_of(self._side_file(suffix))) is not None
        }

    def _side_file(self, suffix: str) -> Path:
        return Path(f"{self._path}{suffix}")

    def _set_up(self, file: sqlite3.Connection) -> None:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = FULL")
        with _transaction(file):
            (version,) = file.execute("PRAGMA user_version").fetchone()
            if version == 0:
                columns = ",\n    ".join(_column(name) for name in FIELDS)
                for statement in _statements(_SCHEMA.format(columns=columns)):
                    file.execute(statement)
                file.execute(f"PRAGMA user_version = {_VERSION}")
            elif not 1 <= version <= _VERSION:
                raise sqlite3.DatabaseError("another version")
            else:
                for number in range(version + 1, _VERSION + 1):
                    for name in _ADDED[number]:
                        file.execute(f"ALTER TABLE entries ADD COLUMN {_column(name)}")
                file.execute(f"PRAGMA user_version = {_VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries, all or none; they are on the disk when this returns.

        Raises:
            sqlite3.Error: they are not, for instance because the disk is full.
            ConfigError: the file is missing and a new one cannot be created.
        """
        columns = ", ".join(FIELDS)
        marks = ", ".join("?" * len(FIELDS))
        rows = [_row(entry) for entry in entries]
        for _ in range(_TRIES):
            file = self._current()
            with _transaction(file):
                file.executemany(f"INSERT INTO entries ({columns}) VALUES ({marks})", rows)
            if self._is_in_place():
                return
        raise sqlite3.OperationalError("the file keeps being replaced")

    def forget(self, now: float | None = None) -> int:
        """Drop what is too old or too much; returns how many entries that were."""
        oldest = (time.time() if now is None else now) - self._max_age_s
        file, dropped = self._current(), 0
        while True:
            with _transaction(file):
                (newest,) = file.execute("SELECT COALESCE(MAX(number), 0) FROM entries").fetchone()
                # An entry goes only together with all that are older, whatever the clock said when it was written.
                (aged,) = file.execute(
                    "SELECT COALESCE(MIN(number) - 1, ?) FROM entries WHERE time >= ?", (newest, oldest)
                ).fetchone()
                last = max(aged, newest - self._max_entries)
                gone = file.execute(
                    "DELETE FROM entries WHERE number IN (SELECT number FROM entries WHERE number <= ? "
                    "ORDER BY number LIMIT ?)",
                    (last, _CHUNK),
                ).rowcount
            dropped += gone
            if gone < _CHUNK:
                return dropped

    def close(self) -> None:
        """Close the file; what was written stays."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def read_entries(path: Path, query: Query | None = None) -> Iterator[Entry]:
    """Entries of a file, the oldest first; a server may be writing it.

    Raises:
        ConfigError: it is not there, or is no audit log.
    """
    query = Query() if query is None else query
    if not path.is_file():
        why = "it is no plain file" if path.exists() else "there is no such file"
        raise ConfigError(f"audit log: {path} cannot be read: {why}")
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_WAIT_S)) as file:
            (version,) = file.execute("PRAGMA user_version").fetchone()
            missing = {name for number, names in _ADDED.items() if number > version for name in names}
            columns = ", ".join(f"NULL AS {name}" if name in missing else name for name in FIELDS)
            wanted = {f"{name} = ?": getattr(query, name) for name in _EQUAL}
            named = "NULL" if "caller_request_id" in missing else "caller_request_id"
            wanted |= {f"? IN (request_id, {named})": query.request_id}
            wanted |= {"time >= ?": query.since, "time < ?": query.until}
            wanted |= {"EXISTS (SELECT 1 FROM json_each(images) WHERE value = ?)": query.image}
            chosen = {condition: value for condition, value in wanted.items() if value is not None}
            condition = " AND ".join(chosen) or "TRUE"
            newest = f"SELECT * FROM entries WHERE {condition} ORDER BY number DESC LIMIT ?"
            limit = -1 if query.limit is None else query.limit
            for row in file.execute(f"SELECT {columns} FROM ({newest}) ORDER BY number", [*chosen.values(), limit]):
                yield _entry(row)
    except sqlite3.Error as exc:
        raise ConfigError(f"audit log: {path.name} cannot be read") from exc


def iso(seconds: float) -> str:
    """A moment in ISO 8601, UTC, to the millisecond."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


@contextmanager
def _transaction(file: sqlite3.Connection) -> Iterator[None]:
    """Everything inside is written, or nothing."""
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
        file.execute("COMMIT")
    except BaseException:
        if file.in_transaction:
            file.execute("ROLLBACK")
        raise


def _identity_of(path: Path) -> _Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return _Identity((found.st_dev, found.st_ino), found.st_size)


def _inode_of(path: Path) -> tuple[int, int] | None:
    found = _identity_of(path)
    return None if found is None else found.inode


def _column(name: str) -> str:
    return f"{name} {_KINDS.get(name, 'TEXT')}{' NOT NULL' if name in _NEEDED else ''}"


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: ``executescript`` would end the transaction."""
    statement = ""
    for line in script.strip().splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _row(entry: Entry) -> list[Any]:
    values = {name: getattr(entry, name) for name in FIELDS}
    return [
        json.dumps(value, separators=(",", ":")) if name in _JSON and value is not None else value
        for name, value in values.items()
    ]


def _entry(row: Sequence[Any]) -> Entry:
    values = dict(zip(FIELDS, row, strict=True))
    for name in _JSON:
        values[name] = None if values[name] is None else json.loads(values[name])
    values["kind"] = Kind(values["kind"])
    values["harmful"] = None if values["harmful"] is None else bool(values["harmful"])
    return Entry(**values)
