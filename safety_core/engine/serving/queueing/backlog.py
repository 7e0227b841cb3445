"""Estimates how long the work in a queue takes, for its admission. Pure functions of the queue's state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from safety_core.engine.serving.queueing.entries import Batch, Item, QueueEntry, Result
from safety_core.errors import OverloadedError

RETRY_S = (1.0, 60.0)
"""Bounds on the seconds in ``Retry-After``."""


def bound_retry_after(seconds: float) -> float:
    """Bound the seconds for ``Retry-After``."""
    return min(max(seconds, RETRY_S[0]), RETRY_S[1])


def create_overloaded_error(message: str, retry_after_s: float) -> OverloadedError:
    """Create the error for a rejected entry."""
    return OverloadedError(message, retry_after_s=bound_retry_after(retry_after_s))


def compute_backlogs(
    waiting: Sequence[QueueEntry[Item, Result]], in_progress: Sequence[Batch[Item, Result]]
) -> dict[str, float]:
    """Compute the seconds of worker time that the entries of each client need."""
    backlogs: dict[str, float] = defaultdict(float)
    for entry in waiting:
        backlogs[entry.client] += entry.seconds
    for batch in in_progress:
        for entry in batch.entries:
            backlogs[entry.client] += batch.remaining_s / len(batch.entries)
    return backlogs


def estimate_done_in(
    entry: QueueEntry[Item, Result],
    waiting: Sequence[QueueEntry[Item, Result]],
    in_progress: Sequence[Batch[Item, Result]],
    backlogs: Mapping[str, float],
) -> float:
    """Estimate the seconds of worker time until an entry is done, given the order of entries.

    This is the client's work ahead of it, and as much of every other client's work, because clients take turns.
    """
    order = (entry.size, entry.since)
    own_s = entry.seconds + sum(
        other.seconds
        for other in waiting
        if other is not entry and other.client == entry.client and (other.size, other.since) <= order
    )
    for batch in in_progress:
        if any(other.client == entry.client for other in batch.entries):
            ahead = batch.size <= entry.size
            own_s += batch.remaining_s if ahead else min(batch.remaining_s, entry.seconds / 3)
    return own_s + sum(min(seconds, own_s) for client, seconds in backlogs.items() if client != entry.client)
