"""The record of a request: what its log line says, and nothing of what it contained."""

from dataclasses import replace

import pytest

from safety_core.engine.generation.outcomes import build_generated_reply
from safety_core.engine.messages import GuardVerdict, Reply, UnguardedReply
from safety_core.policy.policy import Decision
from service.telemetry.request_record import RequestRecord
from tests.helpers.engine.fakes import FakeGuard, FakeSequence
from tests.helpers.engine.requests import create_chat_request
from tests.helpers.images.pictures import create_picture

RED, BLUE = create_picture("red"), create_picture("blue")


def verdict(decision: Decision | None, **others: Decision) -> GuardVerdict:
    found = FakeGuard(decision=decision).assess(create_chat_request(RED, text="SECRET"))
    return replace(found, others={name: replace(found.verdict, decision=one) for name, one in others.items()})


def reply(tokens: int, *, generate_ms: float, harmful: bool = False) -> Reply:
    sequence = FakeSequence(("SECRET",) * tokens, token_ids=[1] * tokens, harmful=harmful)
    return build_generated_reply(verdict(Decision.ALLOWED), sequence, generate_ms=generate_ms)


def test_the_callers_identifier_is_shown_and_ours_is_kept() -> None:
    ours, theirs = RequestRecord(endpoint="chat"), RequestRecord(endpoint="chat", caller_id="order-7")
    assert ours.request_id == ours.id
    assert "id" not in ours.build_log_fields()
    assert (theirs.request_id, theirs.build_log_fields()["id"]) == ("order-7", theirs.id)
    assert ours.id != theirs.id


def test_a_picture_that_is_shown_twice_is_recorded_once() -> None:
    record = RequestRecord(endpoint="chat")
    record.add_images(create_chat_request(RED, BLUE))
    record.add_images(create_chat_request(BLUE))
    assert record.images == (RED.sha256, BLUE.sha256)


def test_of_several_verdicts_the_severest_is_told() -> None:
    record = RequestRecord(endpoint="moderations")
    assert record.severest_verdict is None
    for decision in (Decision.ALLOWED, Decision.REFUSED, Decision.CAUTIONED):
        record.add_verdict(verdict(decision))
    assert record.build_log_fields()["decision"] == "refused"


def test_of_each_shadow_policy_the_severest_decision_is_told() -> None:
    record = RequestRecord(endpoint="moderations")
    record.add_verdict(verdict(Decision.ALLOWED, strict=Decision.CAUTIONED, mild=Decision.ALLOWED))
    record.add_verdict(verdict(Decision.ALLOWED, strict=Decision.ALLOWED))
    assert record.shadow_decisions == {"strict": "cautioned", "mild": "allowed"}
    assert record.build_log_fields()["others"] == record.shadow_decisions


def test_of_several_replies_tokens_add_up_and_the_slowest_counts() -> None:
    record = RequestRecord(endpoint="completions")
    record.add_reply(reply(2, generate_ms=30.0, harmful=True))
    record.add_reply(reply(3, generate_ms=20.0))
    fields = record.build_log_fields()
    assert (fields["completion_tokens"], fields["finish_reason"], fields["harmful_reply"]) == (5, "stop", True)
    assert fields["timings"]["generate_ms"] == 30.0


def test_an_unguarded_reply_is_marked_and_has_no_decision() -> None:
    record = RequestRecord(endpoint="unguarded", is_unguarded=True)
    record.add_unguarded_reply(
        UnguardedReply(
            content="SECRET", finish_reason="length", prompt_tokens=3, completion_tokens=5, queue_ms=1, generate_ms=20
        )
    )
    fields = record.build_log_fields()
    assert (fields["unguarded"], fields["finish_reason"], fields["completion_tokens"]) == (True, "length", 5)
    assert fields["timings"] == {"generate_ms": 20}
    assert "decision" not in fields
    assert "SECRET" not in str(fields)


def test_a_request_that_was_rejected_has_a_short_line() -> None:
    record = RequestRecord(endpoint="chat", status=429, error="overloaded")
    assert set(record.build_log_fields()) == {"request_id", "endpoint", "status", "ms", "error"}


def test_a_refusal_without_a_verdict_has_its_reason_and_no_risk() -> None:
    record = RequestRecord(endpoint="chat")
    record.add_verdict(verdict(None))
    fields = record.build_log_fields()
    assert (fields["decision"], fields["reason"], fields["images_scanned"]) == ("refused", "no_verdict", 0)
    assert "risk_type" not in fields


@pytest.mark.parametrize("decision", [*Decision, None])
def test_a_full_line_says_who_asked_and_what_was_decided_but_not_what(decision: Decision | None) -> None:
    record = RequestRecord(endpoint="chat", status=200, key="shop", traceparent="00-1-2-01", decode_ms=4.0)
    record.set_policy("strict", "0123abcd")
    record.add_images(create_chat_request(RED))
    record.add_verdict(replace(verdict(decision), prepare_ms=1.0, queue_ms=2.0, guard_ms=3.0))
    record.add_reply(reply(1, generate_ms=5.0))
    fields = record.build_log_fields()
    assert (fields["key"], fields["policy"], fields["policy_version"]) == ("shop", "strict", "0123abcd")
    assert fields["traceparent"] == "00-1-2-01"
    assert fields["timings"] == {"decode_ms": 5.0, "queue_ms": 2.0, "guard_ms": 3.0, "generate_ms": 5.0}
    assert fields["images"] == [RED.sha256]
    assert "SECRET" not in str(fields)
