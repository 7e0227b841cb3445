"""Entries in SQLite: appended, read, and forgotten from the oldest end; never changed.

An entry that :meth:`AuditLog.append` has returned from is on the disk: the file is in WAL mode and every commit is
synced, so neither ``kill -9`` nor a power cut loses it. Pictures stand in it as digests, prompts and replies not at
all.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from safety_core.errors import ConfigError

_VERSION = 1
"""``PRAGMA user_version`` of the files written here."""

_CHUNK = 5000
"""Entries that are forgotten at a time, so that nobody waits long for the file."""

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
_EQUAL = ("kind", "request_id", "endpoint", "key", "policy", "decision", "type")


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
        self._max_age_s = max_age_s
        self._max_entries = max_entries
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            # Autocommit: transactions are begun and ended in so many words.
            self._file = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            self._set_up()
        except (OSError, sqlite3.Error) as exc:
            raise ConfigError(f"audit log: {path.name} cannot be written") from exc

    def _set_up(self) -> None:
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        with _transaction(self._file):
            (version,) = self._file.execute("PRAGMA user_version").fetchone()
            if version == 0:
                columns = ",\n    ".join(_column(name) for name in FIELDS)
                for statement in _statements(_SCHEMA.format(columns=columns)):
                    self._file.execute(statement)
                self._file.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise sqlite3.DatabaseError("another version")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries, all or none; they are on the disk when this returns.

        Raises:
            sqlite3.Error: they are not, for instance because the disk is full.
        """
        columns = ", ".join(FIELDS)
        marks = ", ".join("?" * len(FIELDS))
        with _transaction(self._file):
            self._file.executemany(
                f"INSERT INTO entries ({columns}) VALUES ({marks})", [_row(entry) for entry in entries]
            )

    def forget(self, now: float | None = None) -> int:
        """Drop what is too old or too much; returns how many entries that were."""
        oldest = (time.time() if now is None else now) - self._max_age_s
        dropped = 0
        while True:
            with _transaction(self._file):
                (newest,) = self._file.execute("SELECT COALESCE(MAX(number), 0) FROM entries").fetchone()
                # An entry goes only together with all that are older, whatever the clock said when it was written.
                (aged,) = self._file.execute(
                    "SELECT COALESCE(MIN(number) - 1, ?) FROM entries WHERE time >= ?", (newest, oldest)
                ).fetchone()
                last = max(aged, newest - self._max_entries)
                gone = self._file.execute(
                    "DELETE FROM entries WHERE number IN (SELECT number FROM entries WHERE number <= ? "
                    "ORDER BY number LIMIT ?)",
                    (last, _CHUNK),
                ).rowcount
            dropped += gone
            if gone < _CHUNK:
                return dropped

    def close(self) -> None:
        """Close the file; what was written stays."""
        self._file.close()


def read_entries(path: Path, query: Query | None = None) -> Iterator[Entry]:
    """Entries of a file, the oldest first; a server may be writing it.

    Raises:
        ConfigError: it is not there, or is no audit log.
    """
    query = Query() if query is None else query
    if not path.is_file():
        raise ConfigError(f"audit log: {path} cannot be read: there is no such file")
    wanted = {f"{name} = ?": getattr(query, name) for name in _EQUAL}
    wanted |= {"time >= ?": query.since, "time < ?": query.until}
    wanted |= {"EXISTS (SELECT 1 FROM json_each(images) WHERE value = ?)": query.image}
    chosen = {condition: value for condition, value in wanted.items() if value is not None}
    condition = " AND ".join(chosen) or "TRUE"
    newest = f"SELECT * FROM entries WHERE {condition} ORDER BY number DESC LIMIT ?"
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_WAIT_S)) as file:
            limit = -1 if query.limit is None else query.limit
            for row in file.execute(
                f"SELECT {', '.join(FIELDS)} FROM ({newest}) ORDER BY number", [*chosen.values(), limit]
            ):
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
