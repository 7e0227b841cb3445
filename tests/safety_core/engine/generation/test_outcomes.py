"""Final replies: a refusal has no reply, and a sequence that failed or has not ended is none."""

import pytest

from safety_core.engine.generation.outcomes import build_generated_reply, build_refused_reply, build_unguarded_reply
from safety_core.errors import ExhaustedError, GenerationError
from safety_core.policy.policy import Decision
from tests.helpers.engine.fakes import FakeGuard, FakeSequence
from tests.helpers.engine.requests import CHAT_REQUEST


def test_a_refusal_is_the_policys_text_and_counts_no_tokens() -> None:
    verdict = FakeGuard(decision=Decision.REFUSED).assess(CHAT_REQUEST)
    reply = build_refused_reply(verdict)
    assert (reply.content, reply.refusal, reply.finish_reason) == (None, verdict.refusal, "content_filter")
    assert verdict.refusal
    assert (reply.prompt_tokens, reply.completion_tokens) == (0, 0)


def test_a_reply_has_the_text_tokens_and_times_of_its_sequence() -> None:
    verdict = FakeGuard().assess(CHAT_REQUEST)
    sequence = FakeSequence(("a", "b"), token_ids=[5, 6], harmful=True)
    reply = build_generated_reply(verdict, sequence, queue_ms=3.0, generate_ms=20.0)
    assert (reply.content, reply.refusal, reply.finish_reason, reply.harmful) == ("ab", None, "stop", True)
    assert (reply.prompt_tokens, reply.completion_tokens) == (7, 2)
    assert (reply.queue_ms, reply.generate_ms) == (3.0, 20.0)


def test_a_sequence_that_failed_or_still_runs_is_no_reply() -> None:
    verdict = FakeGuard().assess(CHAT_REQUEST)
    with pytest.raises(ExhaustedError):
        build_generated_reply(
            verdict, FakeSequence(("a",), token_ids=[5], failure=ExhaustedError("no memory")), generate_ms=1.0
        )
    with pytest.raises(GenerationError, match="not ended"):
        build_generated_reply(verdict, FakeSequence(("a", "b"), token_ids=[5]), generate_ms=1.0)


def test_an_unguarded_reply_has_the_text_tokens_and_times_of_its_sequence() -> None:
    reply = build_unguarded_reply(FakeSequence(("a", "b"), token_ids=[5, 6]), queue_ms=3.0, generate_ms=20.0)
    assert (reply.content, reply.finish_reason) == ("ab", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens) == (7, 2)
    assert (reply.queue_ms, reply.generate_ms) == (3.0, 20.0)
    with pytest.raises(GenerationError, match="not ended"):
        build_unguarded_reply(FakeSequence(("a", "b"), token_ids=[5]), queue_ms=0.0, generate_ms=1.0)
