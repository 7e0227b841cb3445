"""The order of a queue: picks the entry or batch to work on next, and gathers cheap entries into a batch.

The client that has used the least worker time is next, and of its entries the cheapest. A quarter of the time goes to
the client's oldest entry, so that an expensive one is delayed but never starved. Pure functions of the queue's state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic

from safety_core.engine.serving.queueing.client_accounts import OVERTAKING_S, ClientAccounts
from safety_core.engine.serving.queueing.entries import Batch, Item, QueueEntry, Result

MAX_OPEN = 4
"""Batches in progress at a time; beyond that, only cheaper ones start. Each keeps its intermediate results."""


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Item, Result]):
    """A candidate for the next slice of work: a waiting entry, or a batch in progress."""

    entry: QueueEntry[Item, Result]
    """The entry, or an entry of the batch."""

    batch: Batch[Item, Result] | None
    """The batch in progress, if it is one."""

    size: int
    """Size class of the remaining work."""

    overtaken: str | None = None
    """Its client, if an older entry of that client has to wait for it."""

    @property
    def order(self) -> tuple[int, float]:
        """Sort key among the candidates of one client."""
        return self.size, self.entry.since

    @property
    def since(self) -> float:
        """Time at which it was queued."""
        return self.entry.since


def pick_next(
    waiting: Sequence[QueueEntry[Item, Result]], in_progress: Sequence[Batch[Item, Result]], accounts: ClientAccounts
) -> Candidate[Item, Result] | None:
    """The entry or batch to work on next; None if there is no work."""
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
    oldest = min(candidates[client], key=lambda one: one.since)
    cheapest = min(candidates[client], key=lambda one: one.order)
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
    """A new batch of an entry and other cheap entries, of the clients with the least used time first."""
    if head.size or head.urgent:
        return Batch([head], sliced=head.size > 0 and not head.urgent)
    entries, cost = [head], head.cost
    others = [entry for entry in waiting if entry is not head and not entry.urgent and not entry.size]
    for entry in sorted(others, key=lambda one: (accounts[one.client].served_s, one.since)):
        if cost + entry.cost > max_batch:
            break
        entries.append(entry)
        cost += entry.cost
    return Batch(entries)
