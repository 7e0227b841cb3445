"""The order of a queue: picks the entry or batch to work on next, and gathers cheap entries into a batch.

The next entry is the cheapest entry of the client that has used the least worker time. A quarter of the time goes to
the client's oldest entry, so that an expensive entry is delayed but never starved. Pure functions of the queue's state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic

from safety_core.engine.serving.queueing.client_accounts import OVERTAKING_S, ClientAccounts
from safety_core.engine.serving.queueing.entries import Batch, Item, QueueEntry, Result

MAX_OPEN = 4
"""Maximum number of batches in progress, which keep intermediate results; beyond it, only cheaper batches start."""


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Item, Result]):
    """A candidate for the next slice of work: a waiting entry, or a batch in progress."""

    entry: QueueEntry[Item, Result]
    """The entry, or an entry of the batch."""

    batch: Batch[Item, Result] | None
    """The batch, if the candidate is a batch in progress."""

    size: int
    """Size class of the remaining work."""

    overtaken: str | None = None
    """The client, if an older entry of that client has to wait for this candidate."""

    @property
    def order(self) -> tuple[int, float]:
        """Sort key among the candidates of one client."""
        return self.size, self.entry.since

    @property
    def since(self) -> float:
        """Time at which the entry was queued."""
        return self.entry.since


def pick_next(
    waiting: Sequence[QueueEntry[Item, Result]], in_progress: Sequence[Batch[Item, Result]], accounts: ClientAccounts
) -> Candidate[Item, Result] | None:
    """Pick the entry or batch to work on next; None if there is no work."""
    candidates: dict[str, list[Candidate[Item, Result]]] = defaultdict(list)
    for batch in in_progress:
        batch.overtaken = None
        for entry in batch.entries:
            if entry.urgent:
                return Candidate(entry, batch, 0)
            candidates[entry.client].append(Candidate(entry, batch, batch.size))
    least_open = min((batch.size for batch in in_progress), default=0)
    for entry in waiting:
        if entry.urgent:
            return Candidate(entry, None, 0)
        if len(in_progress) < MAX_OPEN or entry.size < least_open:
            candidates[entry.client].append(Candidate(entry, None, entry.size))
    if not candidates:
        return None
    client = min(candidates, key=lambda name: (accounts[name].served_s, candidates[name][0].since))
    account = accounts[client]
    accounts.raise_level(account)
    oldest = min(candidates[client], key=lambda candidate: candidate.since)
    cheapest = min(candidates[client], key=lambda candidate: candidate.order)
    if cheapest.entry is oldest.entry:
        account.overtaken_s = 0.0
        return oldest
    if account.overtaken_s >= OVERTAKING_S:
        account.overtaken_s -= OVERTAKING_S
        return oldest
    return replace(cheapest, overtaken=client)


def gather_batch(
    head: QueueEntry[Item, Result],
    waiting: Sequence[QueueEntry[Item, Result]],
    accounts: ClientAccounts,
    *,
    max_batch: int,
) -> Batch[Item, Result]:
    """Gather a batch from an entry and other cheap entries; clients with the least used time go first."""
    if head.size or head.urgent:
        return Batch([head], sliced=head.size > 0 and not head.urgent)
    entries, cost = [head], head.cost
    others = [entry for entry in waiting if entry is not head and not entry.urgent and not entry.size]
    for entry in sorted(others, key=lambda other: (accounts[other.client].served_s, other.since)):
        if cost + entry.cost > max_batch:
            break
        entries.append(entry)
        cost += entry.cost
    return Batch(entries)
