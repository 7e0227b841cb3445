"""The SQLite schema of an audit log: tables and triggers, upgrades from older versions, and entries as rows.

Triggers reject changes to entries, and deletions of any entry but the oldest. Knows no files.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from safety_core.audit_log.entries import FIELDS, AuditEntry, EntryKind

BUSY_TIMEOUT_S = 10.0
"""Maximum wait in seconds for a lock that another process holds on the database."""

_VERSION = 3
"""``PRAGMA user_version`` of the files written here."""

_ADDED_COLUMNS: Mapping[int, Sequence[str]] = {
    2: ("caller_request_id", "traceparent"),
    3: ("surface", "surfaces"),
}
"""Columns that each version added to the version before it."""

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

_COLUMN_TYPES = {"time": "REAL", "unsafe_probability": "REAL"} | dict.fromkeys(
    ("item", "level", "images_scanned", "harmful", "completion_tokens"), "INTEGER"
)
"""Types of the columns that are not ``TEXT``."""

_REQUIRED_COLUMNS = frozenset({"kind", "request_id", "endpoint", "item", "time"})
_JSON_COLUMNS = frozenset({"type_scores", "level_scores", "surfaces", "others", "images"})

INSERT_ENTRY = f"INSERT INTO entries ({', '.join(FIELDS)}) VALUES ({', '.join('?' * len(FIELDS))})"
"""Statement that inserts one row of :func:`encode_row`."""


def create_or_upgrade(connection: sqlite3.Connection) -> None:
    """Create the schema in an empty database, or upgrade a database of an older version.

    Raises:
        sqlite3.Error: the file is not a database, cannot be written, or has an unknown version.
    """
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    with open_transaction(connection):
        version = read_version(connection)
        if version == 0:
            columns = ",\n    ".join(_define_column(name) for name in FIELDS)
            for statement in _split_statements(_SCHEMA.format(columns=columns)):
                connection.execute(statement)
        elif not 1 <= version <= _VERSION:
            raise sqlite3.DatabaseError("another version")
        for name in find_missing_columns(version) if version else ():
            connection.execute(f"ALTER TABLE entries ADD COLUMN {_define_column(name)}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")


def read_version(connection: sqlite3.Connection) -> int:
    """Read the version of a database; 0 if it is empty."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def find_missing_columns(version: int) -> list[str]:
    """List the columns that a database of an older version lacks."""
    return [name for number, names in _ADDED_COLUMNS.items() if number > version for name in names]


@contextmanager
def open_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit all statements of the context, or none if it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def encode_row(entry: AuditEntry) -> list[Any]:
    """Convert an entry to the values of its columns, in the order of ``FIELDS``."""
    values = {name: getattr(entry, name) for name in FIELDS}
    return [
        json.dumps(value, separators=(",", ":")) if name in _JSON_COLUMNS and value is not None else value
        for name, value in values.items()
    ]


def decode_row(row: Sequence[Any]) -> AuditEntry:
    """Convert the values of the columns, in the order of ``FIELDS``, to an entry."""
    values = dict(zip(FIELDS, row, strict=True))
    for name in _JSON_COLUMNS:
        values[name] = None if values[name] is None else json.loads(values[name])
    values["kind"] = EntryKind(values["kind"])
    values["harmful"] = None if values["harmful"] is None else bool(values["harmful"])
    return AuditEntry(**values)


def _define_column(name: str) -> str:
    return f"{name} {_COLUMN_TYPES.get(name, 'TEXT')}{' NOT NULL' if name in _REQUIRED_COLUMNS else ''}"


def _split_statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; ``executescript`` would commit the transaction."""
    statement = ""
    for line in script.strip().splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
