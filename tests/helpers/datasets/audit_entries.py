"""Entries of an audit log."""

from safety_core.audit_log.entries import AuditEntry, EntryKind

DAY = 86400.0


def make_decision(name: str = "guard-1", **fields: object) -> AuditEntry:
    return AuditEntry(kind=EntryKind.DECISION, request_id=name, endpoint="chat", **fields)  # type: ignore[arg-type]


FULL = make_decision(
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
REPLY = AuditEntry(
    kind=EntryKind.REPLY,
    request_id="guard-1",
    endpoint="chat",
    finish_reason="stop",
    harmful=False,
    completion_tokens=7,
)
