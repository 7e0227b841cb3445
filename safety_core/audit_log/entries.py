"""Entries of the audit log: one decision about a request, the end of one reply, or a request without a decision.

Images are recorded as digests; prompts and replies are not recorded. Knows no database.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any


class EntryKind(StrEnum):
    """The event that an entry records."""

    DECISION = "decision"
    REPLY = "reply"
    UNGUARDED = "unguarded"
    """The bare language model answers the request, for comparison: nothing is decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One event of a request; fields that do not apply to it are None."""

    kind: EntryKind
    request_id: str
    endpoint: str
    item: int = 0
    """Index of the text in a moderation request, or of the choice in a completion."""

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
    """Decisions of policies in shadow mode, by policy name."""

    images: Sequence[str] | None = None
    """SHA-256 of each image's bytes."""

    images_scanned: int | None = None
    finish_reason: str | None = None
    harmful: bool | None = None
    """Whether the reply became harmful while it was generated."""

    completion_tokens: int | None = None
    caller_request_id: str | None = None
    """The caller's identifier of the request; several requests may have the same."""

    traceparent: str | None = None
    """W3C trace context of the caller."""

    surface: str | None = None
    """The input that determined the decision: ``image``, ``text``, ``joint``, or ``lettering`` in an image."""

    surfaces: Mapping[str, float] | None = None
    """Unsafe probability by input."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are not None as JSON values; the time is in ISO 8601, UTC."""
        values = {name: getattr(self, name) for name in FIELDS} | {"time": format_time(self.time)}
        return {name: value for name, value in values.items() if value is not None}


FIELDS = tuple(entry_field.name for entry_field in fields(AuditEntry))
"""Names of an entry's fields, in the order of the database columns."""


def format_time(seconds: float) -> str:
    """Format seconds since 1970 in ISO 8601, UTC, to the millisecond."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
