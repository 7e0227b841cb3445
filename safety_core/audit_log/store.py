"""The writer of an audit log: appends entries to an SQLite file and deletes the oldest; entries never change.

An entry is on the disk when :meth:`AuditLog.append` returns: the file is in WAL mode and every commit is synced, so
neither ``kill -9`` nor a power cut loses it. The path is checked before and after every commit: if the file was removed
or replaced, the entry is written to the file that is then at the path.
"""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from safety_core.audit_log.database_file import DatabaseFile
from safety_core.audit_log.entries import AuditEntry
from safety_core.audit_log.schema import INSERT_ENTRY, encode_row, open_transaction

_CHUNK = 5000
"""Maximum entries deleted in one transaction, so that other users of the file do not wait long."""

_TRIES = 3
"""Maximum attempts to write an entry while the file is being replaced repeatedly."""

_PROBE_BYTES = 65_536
"""Number of bytes written to check for free space."""


class AuditLog:
    """One file of entries, open for writing; use from one thread at a time.

    Args:
        path: the file; created if missing, readable and writable by its owner only.
        max_age_s: age in seconds from which an entry is deleted.
        max_entries: maximum number of entries to keep.

    Raises:
        ConfigError: the file cannot be opened, or is not an audit log.
    """

    def __init__(self, path: Path, *, max_age_s: float, max_entries: int) -> None:
        self._max_age_s = max_age_s
        self._max_entries = max_entries
        self._file = DatabaseFile(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def renewals(self) -> int:
        """Number of new files started because the previous one was removed, replaced or truncated."""
        return self._file.renewals

    def check(self, *, by_writing: bool = False) -> None:
        """Check that entries can be written to the file that the path names.

        Args:
            by_writing: write and delete some data, which is the only way to detect a full disk.

        Raises:
            ConfigError: the file is missing and a new one cannot be created.
            sqlite3.Error: the file cannot be written.
        """
        connection = self._file.connect()
        if by_writing:
            # More bytes than an entry needs, because a full disk may still have room for a page or two.
            with open_transaction(connection):
                connection.execute("CREATE TABLE IF NOT EXISTS is_there_room (data)")
                connection.execute("DELETE FROM is_there_room")
                connection.execute("INSERT INTO is_there_room VALUES (zeroblob(?))", (_PROBE_BYTES,))
            with open_transaction(connection):
                connection.execute("DROP TABLE is_there_room")

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Write all entries or none; they are on the disk when this returns.

        Raises:
            sqlite3.Error: the entries could not be written, for instance because the disk is full.
            ConfigError: the file is missing and a new one cannot be created.
        """
        rows = [encode_row(entry) for entry in entries]
        for _ in range(_TRIES):
            connection = self._file.connect()
            with open_transaction(connection):
                connection.executemany(INSERT_ENTRY, rows)
            if self._file.is_in_place():
                return
        raise sqlite3.OperationalError("the file keeps being replaced")

    def forget(self, now: float | None = None) -> int:
        """Delete the entries that exceed the maximum age or number; returns the number of deleted entries."""
        oldest = (time.time() if now is None else now) - self._max_age_s
        connection, dropped = self._file.connect(), 0
        while True:
            with open_transaction(connection):
                (newest,) = connection.execute("SELECT COALESCE(MAX(number), 0) FROM entries").fetchone()
                # An entry is deleted only together with all older entries, even if the clock was set back in between.
                (aged,) = connection.execute(
                    "SELECT COALESCE(MIN(number) - 1, ?) FROM entries WHERE time >= ?", (newest, oldest)
                ).fetchone()
                last = max(aged, newest - self._max_entries)
                deleted = connection.execute(
                    "DELETE FROM entries WHERE number IN (SELECT number FROM entries WHERE number <= ? "
                    "ORDER BY number LIMIT ?)",
                    (last, _CHUNK),
                ).rowcount
            dropped += deleted
            if deleted < _CHUNK:
                return dropped

    def close(self) -> None:
        """Close the file."""
        self._file.close()
