"""The open database file of an audit log, and the detection of its removal, replacement or truncation.

Knows no entries.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from safety_core.audit_log.schema import BUSY_TIMEOUT_S, create_or_upgrade
from safety_core.errors import ConfigError


class _FileIdentity(NamedTuple):
    """Identity of the file at a path."""

    inode: tuple[int, int]
    """Device and inode number."""

    size: int
    """Size in bytes; an audit log never shrinks."""


class DatabaseFile:
    """A database at a path, reopened whenever the path names another file; use from one thread at a time.

    Args:
        path: the file; created if missing, readable and writable by its owner only.

    Raises:
        ConfigError: the file cannot be opened, or is not an audit log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._identity: _FileIdentity | None = None
        self._side_files: dict[str, tuple[int, int]] = {}
        self._renewals = 0
        self._open()

    @property
    def renewals(self) -> int:
        """Number of times that the path named a new file, which was then opened."""
        return self._renewals

    def connect(self) -> sqlite3.Connection:
        """Return a connection to the file that the path names, which is a new one if the open file is gone.

        Raises:
            ConfigError: the file is missing and a new one cannot be created.
        """
        if self._connection is not None and self.is_in_place():
            return self._connection
        is_renewal = self._connection is not None
        self._abandon()
        self._open()
        self._renewals += is_renewal
        assert self._connection is not None
        return self._connection

    def is_in_place(self) -> bool:
        """Whether the path still names the open file, with its side files, and the file was not truncated."""
        known, found = self._identity, _identify(self._path)
        if known is None or found is None or found.inode != known.inode or found.size < known.size:
            return False
        # Recent entries are only in the side files, without which no other process could read them.
        if any(_find_inode(self._get_side_path(suffix)) != inode for suffix, inode in self._side_files.items()):
            return False
        self._identity = found
        return True

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> None:
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            # Autocommit: every transaction begins and ends with an explicit statement.
            connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                create_or_upgrade(connection)
            except BaseException:
                connection.close()
                raise
        except (OSError, sqlite3.Error) as exc:
            raise ConfigError(f"audit log: {self._path.name} cannot be written") from exc
        self._connection = connection
        self._identity = _identify(self._path)
        inodes = {suffix: _find_inode(self._get_side_path(suffix)) for suffix in ("-wal", "-shm")}
        self._side_files = {suffix: inode for suffix, inode in inodes.items() if inode is not None}

    def _abandon(self) -> None:
        """Close a file that is no longer at the path; its entries stay in it."""
        if self._connection is None:
            return
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with suppress(sqlite3.Error):
            self._connection.close()
        self._connection = None
        # SQLite leaves the side files of a moved database behind; the next database would use them as its own.
        for suffix, inode in self._side_files.items():
            side_path = self._get_side_path(suffix)
            if _find_inode(side_path) == inode:
                side_path.unlink(missing_ok=True)

    def _get_side_path(self, suffix: str) -> Path:
        return Path(f"{self._path}{suffix}")


def _identify(path: Path) -> _FileIdentity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return _FileIdentity((status.st_dev, status.st_ino), status.st_size)


def _find_inode(path: Path) -> tuple[int, int] | None:
    found = _identify(path)
    return None if found is None else found.inode
