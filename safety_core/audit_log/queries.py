"""Queries on an audit log, which work while a server writes to the file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from safety_core.audit_log.entries import FIELDS, AuditEntry
from safety_core.audit_log.schema import BUSY_TIMEOUT_S, decode_row, find_missing_columns, read_version
from safety_core.errors import ConfigError

_COMPARED_FIELDS = ("kind", "endpoint", "key", "policy", "decision", "type")
"""Fields of a query that must equal the entry's field of the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Conditions that entries must meet; a condition that is None always holds."""

    since: float | None = None
    """Seconds since 1970, inclusive."""

    until: float | None = None
    """Seconds since 1970, exclusive."""

    kind: str | None = None
    request_id: str | None = None
    """Identifier of a request: the server's or the caller's."""

    endpoint: str | None = None
    key: str | None = None
    policy: str | None = None
    decision: str | None = None
    type: str | None = None
    image: str | None = None
    """SHA-256 of an image."""

    limit: int | None = None
    """Maximum number of entries; the newest are returned."""


def read_entries(path: Path, query: AuditQuery | None = None) -> Iterator[AuditEntry]:
    """Yield the entries of a file that match a query, the oldest first.

    Raises:
        ConfigError: the file does not exist, or is not an audit log.
    """
    query = AuditQuery() if query is None else query
    if not path.is_file():
        why = "it is not a regular file" if path.exists() else "there is no such file"
        raise ConfigError(f"audit log: {path} cannot be read: {why}")
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
            missing = find_missing_columns(read_version(connection))
            columns = ", ".join(f"NULL AS {name}" if name in missing else name for name in FIELDS)
            condition, values = _build_condition(query, missing)
            newest = f"SELECT * FROM entries WHERE {condition} ORDER BY number DESC LIMIT ?"
            limit = -1 if query.limit is None else query.limit
            for row in connection.execute(f"SELECT {columns} FROM ({newest}) ORDER BY number", [*values, limit]):
                yield decode_row(row)
    except sqlite3.Error as exc:
        raise ConfigError(f"audit log: {path.name} cannot be read") from exc


def _build_condition(query: AuditQuery, missing: list[str]) -> tuple[str, list[object]]:
    """Build the condition of a WHERE clause and the values of its placeholders."""
    conditions: dict[str, object] = {f"{name} = ?": getattr(query, name) for name in _COMPARED_FIELDS}
    caller_id = "NULL" if "caller_request_id" in missing else "caller_request_id"
    conditions |= {f"? IN (request_id, {caller_id})": query.request_id}
    conditions |= {"time >= ?": query.since, "time < ?": query.until}
    conditions |= {"EXISTS (SELECT 1 FROM json_each(images) WHERE value = ?)": query.image}
    active = {condition: value for condition, value in conditions.items() if value is not None}
    return " AND ".join(active) or "TRUE", list(active.values())
