"""Entries of the audit log: who asked, what was decided by which policy, and how a reply ended."""

from dataclasses import replace

from safety_core.audit_log.entries import EntryKind
from safety_core.engine.generation.outcomes import build_generated_reply
from safety_core.policy.policy import Decision
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from service.telemetry.audit_entries import build_decision_entry, build_reply_entry, build_unguarded_entry
from service.telemetry.request_record import RequestRecord
from tests.helpers.engine.fakes import FakeGuard, FakeSequence
from tests.helpers.engine.requests import create_chat_request
from tests.helpers.images.pictures import create_picture

REQUEST = create_chat_request(create_picture(), text="SECRET")


def record() -> RequestRecord:
    found = RequestRecord(endpoint="chat", caller_id="order-7", traceparent="00-1-2-01", key="shop")
    found.set_policy("strict", "0123abcd")
    found.add_images(REQUEST)
    return found


def test_a_decision_has_its_scores_and_those_of_the_policies_beside_it() -> None:
    verdict = FakeGuard(decision=Decision.REFUSED).assess(REQUEST)
    verdict = replace(verdict, others={"mild": replace(verdict.verdict, decision=Decision.ALLOWED)})
    asked = record()
    entry = build_decision_entry(asked, 2, verdict, checkpoint="nano")
    assert (entry.kind, entry.request_id, entry.item, entry.endpoint) == (EntryKind.DECISION, asked.id, 2, "chat")
    assert (entry.key, entry.policy, entry.policy_version, entry.checkpoint) == ("shop", "strict", "0123abcd", "nano")
    assert (entry.caller_request_id, entry.traceparent) == ("order-7", "00-1-2-01")
    assert (entry.decision, entry.level, entry.others) == ("refused", 3, {"mild": "allowed"})
    assert set(entry.type_scores or {}) == set(T.types)
    assert (entry.images, entry.images_scanned) == (asked.images, 1)
    assert "SECRET" not in str(entry.to_dict())


def test_a_decision_without_a_verdict_has_a_reason_instead_of_scores() -> None:
    entry = build_decision_entry(record(), 0, FakeGuard(decision=None).assess(REQUEST), checkpoint="nano")
    assert (entry.decision, entry.reason, entry.images_scanned) == ("refused", "no_verdict", 0)
    assert not {"type", "level", "type_scores", "level_scores", "others"} & set(entry.to_dict())


def test_the_end_of_a_reply_has_how_it_ended_and_not_what_it_said() -> None:
    sequence = FakeSequence(("SECRET", "SECRET"), token_ids=[1, 2], harmful=True)
    reply = build_generated_reply(FakeGuard().assess(REQUEST), sequence, generate_ms=1.0)
    asked = record()
    entry = build_reply_entry(asked, 1, reply)
    assert (entry.kind, entry.request_id, entry.item) == (EntryKind.REPLY, asked.id, 1)
    assert (entry.finish_reason, entry.harmful, entry.completion_tokens) == ("stop", True, 2)
    assert (entry.decision, entry.images) == (None, None)
    assert "SECRET" not in str(entry.to_dict())


def test_a_request_that_is_answered_without_the_guard_has_no_decision() -> None:
    asked = RequestRecord(endpoint="unguarded", key="shop")
    asked.add_images(REQUEST)
    entry = build_unguarded_entry(asked, checkpoint="nano")
    assert (entry.kind, entry.endpoint, entry.key, entry.checkpoint) == (
        EntryKind.UNGUARDED, "unguarded", "shop", "nano",
    )  # fmt: skip
    assert entry.images == asked.images
    assert not {"decision", "policy", "type", "finish_reason"} & set(entry.to_dict())


def test_the_surface_that_decided_is_named_with_the_scores_of_all() -> None:
    verdict = FakeGuard(decision=Decision.REFUSED).assess(REQUEST)
    assert verdict.assessment is not None
    surfaces = replace(verdict.assessment.surfaces, image=None, lettering=0.75)
    read = replace(verdict, surface="lettering", assessment=replace(verdict.assessment, surfaces=surfaces))
    entry = build_decision_entry(record(), 0, read, checkpoint="nano")
    assert entry.surface == "lettering"
    assert entry.surfaces == {"text": surfaces.text, "joint": surfaces.joint, "lettering": 0.75}
