"""Entries of a queue, and the batches in which they are processed. Knows no torch, no asyncio and no guard."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from safety_core.engine.work import Work

Item = TypeVar("Item")
Result = TypeVar("Result")

CHEAP_S = 0.1
"""Work up to this duration in seconds is cheap: it is done without pauses, in a batch with other cheap work."""

CHEAP_COST = 2
"""Work of at most this cost also counts as cheap, however slow the machine is."""


@dataclass(slots=True, kw_only=True, eq=False)
class QueueEntry(Generic[Item, Result]):
    """One item that waits for its result."""

    item: Item
    """The work."""

    cost: int
    """The entry's share of a batch."""

    since: float
    """Time at which it was queued, by the batcher's clock."""

    deadline: float
    """Time at which the waiter times out."""

    client: str = ""
    """Key of the client for fair queueing."""

    urgent: bool = False
    """Whether the entry precedes all others, without being charged to a client."""

    seconds: float = 0.0
    """Estimated worker time in seconds."""

    future: Future[Result] = field(default_factory=Future)
    """Resolves to the result; cancelling it cancels the work."""

    @property
    def size(self) -> int:
        """Its size class."""
        return compute_size_class(self.seconds, self.cost)


@dataclass(slots=True, eq=False)
class Batch(Generic[Item, Result]):
    """Entries that are processed together."""

    entries: list[QueueEntry[Item, Result]]
    """The entries."""

    sliced: bool = False
    """Whether the batch takes so long that it is processed in slices."""

    spent_s: float = 0.0
    """Seconds of worker time spent on the batch so far."""

    unrecorded_s: float = 0.0
    """Seconds of ``spent_s`` that are not yet part of a recorded duration."""

    overtaken: str | None = None
    """The client whose oldest entry had to wait for the current slice of this batch."""

    slices: Generator[Work, None, Sequence[Result | Exception]] | None = None
    """The work in progress, stored here by the worker; yields the work done after each slice."""

    @property
    def remaining_s(self) -> float:
        """Estimated seconds until the batch is done; if it has exceeded its estimate, the rest is unknown."""
        total_s = sum(entry.seconds for entry in self.entries)
        return max(total_s - self.spent_s, 0.1 * total_s)

    @property
    def size(self) -> int:
        """Size class of the remaining work; a sliced batch is never cheap, since the estimate may be too low."""
        return max(1, compute_size_class(self.remaining_s, self.entries[0].cost)) if self.sliced else 0


def compute_size_class(seconds: float, cost: int) -> int:
    """Compute the size class: 0 is cheap, and each further class takes twice as long."""
    return 0 if seconds <= CHEAP_S or cost <= CHEAP_COST else 1 + int(math.log2(seconds / CHEAP_S))


def deliver(entries: Sequence[QueueEntry[Item, Result]], outcomes: Sequence[Result | Exception]) -> None:
    """Deliver one outcome to each entry; entries that already have an outcome keep it."""
    for entry, outcome in zip(entries, outcomes, strict=True):
        try:
            if entry.future.done() or not entry.future.set_running_or_notify_cancel():
                continue
            if isinstance(outcome, Exception):
                entry.future.set_exception(outcome)
            else:
                entry.future.set_result(outcome)
        except (InvalidStateError, RuntimeError):  # cancelled or failed by another thread since the check
            continue


def fail_all(entries: Sequence[QueueEntry[Item, Result]], reason: Exception) -> None:
    """Fail every entry; entries that already have an outcome keep it."""
    deliver(entries, [reason] * len(entries))
