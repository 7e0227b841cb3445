"""Builds the final reply of a chat: the refusal, or the generated text. Pure functions; no torch."""

from safety_core.engine.messages import FinishReason, GuardVerdict, Reply, UnguardedReply
from safety_core.engine.protocols import ReplySequenceLike
from safety_core.errors import GenerationError


def build_refused_reply(verdict: GuardVerdict) -> Reply:
    """Build the reply to a refused request."""
    return Reply(
        verdict=verdict,
        content=None,
        refusal=verdict.refusal,
        finish_reason="content_filter",
        queue_ms=verdict.queue_ms,
    )


def build_generated_reply(
    verdict: GuardVerdict, sequence: ReplySequenceLike, *, queue_ms: float = 0.0, generate_ms: float
) -> Reply:
    """Build the reply with the text of a finished sequence.

    Raises:
        EngineError: the failure of the sequence; GenerationError if it has not ended.
    """
    finish_reason = _require_finished(sequence)
    return Reply(
        verdict=verdict,
        content=sequence.text,
        refusal=None,
        finish_reason=finish_reason,
        harmful=sequence.harmful,
        prompt_tokens=sequence.prompt_positions,
        completion_tokens=len(sequence.token_ids),
        queue_ms=queue_ms,
        generate_ms=generate_ms,
    )


def build_unguarded_reply(sequence: ReplySequenceLike, *, queue_ms: float, generate_ms: float) -> UnguardedReply:
    """Build the reply with the text of a finished sequence of the bare model; raises as :func:`build_generated_reply`
    does.
    """
    finish_reason = _require_finished(sequence)
    return UnguardedReply(
        content=sequence.text,
        finish_reason=finish_reason,
        prompt_tokens=sequence.prompt_positions,
        completion_tokens=len(sequence.token_ids),
        queue_ms=queue_ms,
        generate_ms=generate_ms,
    )


def _require_finished(sequence: ReplySequenceLike) -> FinishReason:
    """Return why a sequence ended; raises its failure, or GenerationError if it has not ended."""
    if sequence.failure is not None:
        raise sequence.failure
    if sequence.finish_reason is None:
        raise GenerationError("the reply has not ended")
    return sequence.finish_reason
