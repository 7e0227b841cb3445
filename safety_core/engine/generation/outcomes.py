"""How a chat ends: refused, or with what its row came to. Pure functions; no torch."""

from safety_core.engine.messages import GuardVerdict, Reply, RowLike
from safety_core.errors import GenerationError


def refused(verdict: GuardVerdict) -> Reply:
    """The reply to a refused request."""
    return Reply(
        verdict=verdict,
        content=None,
        refusal=verdict.refusal,
        finish_reason="content_filter",
        queue_ms=verdict.queue_ms,
    )


def answered(verdict: GuardVerdict, row: RowLike, *, queue_ms: float = 0.0, generate_ms: float) -> Reply:
    """The reply that a row came to.

    Raises:
        EngineError: what the row failed with; GenerationError where it has not ended.
    """
    if row.failure is not None:
        raise row.failure
    if row.finish_reason is None:
        raise GenerationError("the reply has not ended")
    return Reply(
        verdict=verdict,
        content=row.text,
        refusal=None,
        finish_reason=row.finish_reason,
        harmful=row.harmful,
        prompt_tokens=row.prompt_positions,
        completion_tokens=len(row.token_ids),
        queue_ms=queue_ms,
        generate_ms=generate_ms,
    )
