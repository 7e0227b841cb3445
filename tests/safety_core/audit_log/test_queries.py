from pathlib import Path

import pytest

from safety_core.audit_log.entries import AuditEntry, EntryKind
from safety_core.audit_log.queries import AuditQuery, read_entries
from safety_core.audit_log.store import AuditLog
from safety_core.errors import ConfigError
from tests.helpers.datasets.audit_entries import make_decision


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (AuditQuery(), "abcd"),
        (AuditQuery(since=20), "bcd"),
        (AuditQuery(until=20), "a"),
        (AuditQuery(since=20, until=40), "bc"),
        (AuditQuery(kind="reply"), "d"),
        (AuditQuery(decision="refused"), "b"),
        (AuditQuery(key="shop", decision="allowed"), "a"),
        (AuditQuery(policy="strict"), "b"),
        (AuditQuery(type="privacy"), "b"),
        (AuditQuery(endpoint="classify"), "c"),
        (AuditQuery(request_id="c"), "c"),
        (AuditQuery(image="f" * 64), "b"),
        (AuditQuery(limit=2), "cd"),
        (AuditQuery(key="' OR 1=1 --"), ""),
    ],
)
def test_questions(log: AuditLog, path: Path, query: AuditQuery, found: str) -> None:
    log.append(
        [
            make_decision("a", time=10.0, key="shop", decision="allowed"),
            make_decision(
                "b", time=20.0, decision="refused", policy="strict", type="privacy", images=["e" * 64, "f" * 64]
            ),
            AuditEntry(kind=EntryKind.DECISION, request_id="c", endpoint="classify", time=30.0),
            AuditEntry(kind=EntryKind.REPLY, request_id="d", endpoint="chat", time=40.0),
        ]
    )
    assert "".join(entry.request_id for entry in read_entries(path, query)) == found


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a regular file"):
        list(read_entries(tmp_path))
