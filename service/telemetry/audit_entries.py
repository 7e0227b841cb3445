"""Builds the entries of the audit log from the record of a request. Knows no file."""

from dataclasses import asdict
from typing import Any

from safety_core.audit_log.entries import AuditEntry, EntryKind
from safety_core.engine.messages import GuardVerdict, Reply
from safety_core.scores import Surfaces
from service.telemetry.request_record import RequestRecord


def build_decision_entry(
    record: RequestRecord, item: int, guard_verdict: GuardVerdict, *, checkpoint: str
) -> AuditEntry:
    """Build the entry of a decision.

    Args:
        record: the request.
        item: number of the input in the request.
        guard_verdict: the verdict on this input.
        checkpoint: name of the checkpoint that judged.
    """
    verdict, assessment = guard_verdict.verdict, guard_verdict.assessment
    return _build_entry(
        EntryKind.DECISION,
        record,
        item,
        checkpoint=checkpoint,
        decision=verdict.decision.value,
        reason=verdict.reason,
        type=None if assessment is None else assessment.type,
        level=None if assessment is None else assessment.level.index,
        unsafe_probability=verdict.unsafe_probability,
        type_scores=None if assessment is None else assessment.type_scores,
        level_scores=None if assessment is None else assessment.level_scores,
        surface=guard_verdict.surface,
        surfaces=None if assessment is None else _list_surfaces(assessment.surfaces),
        others={name: other.decision.value for name, other in guard_verdict.others.items()} or None,
        images=record.images or None,
        images_scanned=guard_verdict.images_scanned,
    )


def _list_surfaces(surfaces: Surfaces) -> dict[str, float]:
    return {name: score for name, score in asdict(surfaces).items() if score is not None}


def build_reply_entry(record: RequestRecord, item: int, reply: Reply) -> AuditEntry:
    """Build the entry for the end of a reply.

    Args:
        record: the request.
        item: number of the reply, if one request gets several.
        reply: the reply.
    """
    return _build_entry(
        EntryKind.REPLY,
        record,
        item,
        finish_reason=reply.finish_reason,
        harmful=reply.harmful,
        completion_tokens=reply.completion_tokens,
    )


def build_unguarded_entry(record: RequestRecord, *, checkpoint: str) -> AuditEntry:
    """Build the entry of a request that the bare language model answers, without a decision.

    Args:
        record: the request.
        checkpoint: name of the checkpoint whose backbone answers.
    """
    return _build_entry(EntryKind.UNGUARDED, record, 0, checkpoint=checkpoint, images=record.images or None)


def _build_entry(kind: EntryKind, record: RequestRecord, item: int, **fields: Any) -> AuditEntry:
    """Build an entry with the fields of its kind and the fields that identify the request."""
    return AuditEntry(
        kind=kind,
        request_id=record.id,
        endpoint=record.endpoint,
        item=item,
        key=record.key,
        policy=record.policy,
        policy_version=record.policy_version,
        caller_request_id=record.caller_id,
        traceparent=record.traceparent,
        **fields,
    )
