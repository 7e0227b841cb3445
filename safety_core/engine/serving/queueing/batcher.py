"""A bounded, fair queue whose entries are processed in batches. Every entry gets exactly one outcome, in any case.

Several threads add entries, and one worker takes them. An entry is dropped, and its place freed, when its waiter
cancels or its deadline passes. A batch is due once it is full, once its first entry has waited long enough, or as soon
as no further entry is expected: a single request never waits for others.

Cheap entries of all clients are processed together; an expensive entry is processed separately and in slices, with
cheaper entries in between. ``fair_order`` picks the next entry.

Admission: an entry that could not be processed before its deadline is rejected at once, as is one whose client already
holds its share of the queue while other clients are present. An entry that would be next is always accepted.
Knows no torch, no asyncio and no guard.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Generic

from safety_core.engine.serving.queueing.backlog import compute_backlogs, create_overloaded_error, estimate_done_in
from safety_core.engine.serving.queueing.client_accounts import OVERTAKING_S, ClientAccounts
from safety_core.engine.serving.queueing.entries import (
    CHEAP_COST,
    CHEAP_S,
    Batch,
    Item,
    QueueEntry,
    Result,
    deliver,
    fail_all,
)
from safety_core.engine.serving.queueing.fair_order import gather_batch, pick_next
from safety_core.errors import DeadlineError, StoppedError

MARGIN = 0.8
"""Share of the time until an entry's deadline in which the entry should be done, because estimates are not exact."""

SHED_INTERVAL_S = 0.25
"""Seconds between two checks for entries that cannot be processed in time."""

HOPELESS_S = 2.0
"""Seconds of work after which an expensive entry is abandoned if it will take twice the remaining time."""


class Batcher(Generic[Item, Result]):
    """Queues entries and gathers them into batches.

    Args:
        max_requests: maximum number of waiting entries.
        max_batch: maximum cost of a batch; an entry that exceeds it forms its own batch.
        max_wait_s: maximum time in seconds that an entry waits for expected entries.
        changed: notified whenever there may be work; can be shared, to wait for several conditions at once.
        clock: returns monotonic time in seconds.
        estimate: returns the worker time in seconds that an item takes.
        stretch: returns wall-clock seconds for each second of worker time, at least 1.
        horizon_s: seconds of waiting work of which each client has a share.
        client_share: share of ``max_requests`` and ``horizon_s`` that one client may hold while other clients are
            present.
    """

    def __init__(
        self,
        *,
        max_requests: int,
        max_batch: int,
        max_wait_s: float = 0.0,
        changed: threading.Condition | None = None,
        clock: Callable[[], float] = time.monotonic,
        estimate: Callable[[Item], float] = lambda item: 0.0,
        stretch: Callable[[], float] = lambda: 1.0,
        horizon_s: float = math.inf,
        client_share: float = 0.5,
    ) -> None:
        self._max_requests = max_requests
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._changed = threading.Condition() if changed is None else changed
        self._clock = clock
        self._estimate = estimate
        self._stretch = stretch
        self._horizon_s = horizon_s
        self._client_share = client_share
        self._waiting: list[QueueEntry[Item, Result]] = []
        self._open: list[Batch[Item, Result]] = []
        self._accounts = ClientAccounts(clock, lambda: (entry.client for entry in self._iterate_entries()))
        self._next_shedding = clock()
        self._expected = 0
        self._closed = False

    # --- any thread ----------------------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        """Number of waiting entries."""
        with self._changed:
            self._drop_cancelled()
            return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether a batch is in progress."""
        with self._changed:
            return bool(self._open)

    @property
    def backlog_s(self) -> float:
        """Seconds until all current work is done."""
        with self._changed:
            self._drop_cancelled()
            return self._stretch() * sum(self._compute_backlogs().values())

    def get_served_s(self, client: str) -> float:
        """Return the worker time that a client has used, for ordering; a new client starts at the others' level."""
        with self._changed:
            return self._accounts.get_served_s(client)

    def charge_client(self, client: str, seconds: float) -> None:
        """Charge a client for time on a shared resource other than the worker."""
        with self._changed:
            self._accounts.charge(client, seconds)

    def expect(self) -> None:
        """Announce an entry, for which a batch may wait; :meth:`put` or :meth:`cancel_expected` must follow."""
        with self._changed:
            self._expected += 1

    def cancel_expected(self) -> None:
        """Withdraw the announcement of an entry."""
        with self._changed:
            self._expected -= 1
            self._changed.notify_all()

    def put(
        self,
        item: Item,
        *,
        deadline: float,
        cost: int = 1,
        expected: bool = False,
        client: str = "",
        urgent: bool = False,
    ) -> Future[Result]:
        """Queue an item.

        Args:
            item: the work.
            deadline: time at which its waiter times out.
            cost: its share of a batch.
            expected: whether it was announced with :meth:`expect`.
            client: key of the client; clients share the worker's time evenly.
            urgent: whether it precedes all other entries, even if the queue is full.

        Raises:
            OverloadedError: the queue is full, or the item could not be processed in time; has ``retry_after_s``.
            StoppedError: the queue is closed.
        """
        entry: QueueEntry[Item, Result] = QueueEntry(
            item=item, cost=cost, since=self._clock(), deadline=deadline, client=client, urgent=urgent
        )
        with self._changed:
            self._expected -= expected
            self._changed.notify_all()  # entries that waited for this one need not wait any longer
            if self._closed:
                raise StoppedError("no more work is accepted")
            self._drop_cancelled()
            entry.seconds = self._estimate(item)
            if not urgent:
                self._require_room(entry)
                self._accounts.open(entry.client)
            self._waiting.append(entry)
        return entry.future

    def require_room(self, item: Item, seconds: float, *, deadline: float, client: str = "") -> None:
        """Raise OverloadedError if :meth:`put` would, for an item that takes at least ``seconds``."""
        cost = 1 if seconds <= CHEAP_S else CHEAP_COST + 1
        entry: QueueEntry[Item, Result] = QueueEntry(
            item=item, cost=cost, since=self._clock(), deadline=deadline, client=client, seconds=seconds
        )
        with self._changed:
            self._drop_cancelled()
            self._require_room(entry)

    def extend(self, future: Future[Result], deadline: float) -> None:
        """Extend an entry's deadline, because another waiter shares its result."""
        with self._changed:
            for entry in (*self._waiting, *(entry for batch in self._open for entry in batch.entries)):
                if entry.future is future:
                    entry.deadline = max(entry.deadline, deadline)

    def get_due_in(self) -> float | None:
        """Return the seconds until a batch is due, 0 if one is due now; None if nothing waits."""
        with self._changed:
            self._drop_cancelled()
            if self._open:
                return 0.0
            if not self._waiting:
                return None
            full = sum(entry.cost for entry in self._waiting) >= self._max_batch
            if not self._expected or full or any(entry.urgent for entry in self._waiting):
                return 0.0
            return max(0.0, self._waiting[0].since + self._max_wait_s - self._clock())

    def open(self) -> None:
        """Accept entries again."""
        with self._changed:
            self._closed = False

    def close(self, reason: Exception) -> None:
        """Stop accepting entries; entries that wait or are in progress fail with ``reason``."""
        with self._changed:
            self._closed = True
            left = [*self._waiting, *(entry for batch in self._open for entry in batch.entries)]
            self._waiting, self._open = [], []
            self._changed.notify_all()
        fail_all(left, reason)

    # --- the worker's thread -------------------------------------------------------------------------------------

    def take_batch(self) -> Batch[Item, Result] | None:
        """Return the batch to work on now, in progress or new; None if there is no work.

        It stays in progress until :meth:`finish_batch`. :meth:`charge_batch` must be called after each slice of work.
        """
        with self._changed:
            self._drop_cancelled()
            self._drop_hopeless()
            picked = pick_next(self._waiting, self._open, self._accounts)
            if picked is None:
                return None
            if picked.batch is not None:
                picked.batch.overtaken = picked.overtaken
                return picked.batch
            batch = gather_batch(picked.entry, self._waiting, self._accounts, max_batch=self._max_batch)
            batch.overtaken = picked.overtaken
            taken_ids = set(map(id, batch.entries))
            self._waiting = [entry for entry in self._waiting if id(entry) not in taken_ids]
            self._open.append(batch)
            return batch

    def charge_batch(self, batch: Batch[Item, Result], seconds: float) -> None:
        """Charge the clients of a batch for worker time, in proportion to the estimates of their entries."""
        with self._changed:
            batch.spent_s += seconds
            payers = [entry for entry in batch.entries if not entry.urgent]
            weights = [max(entry.seconds, 1e-9) for entry in payers]
            for entry, weight in zip(payers, weights, strict=True):
                account = self._accounts.get(entry.client)
                if account is not None:
                    account.served_s += seconds * weight / sum(weights)
            overtaken = None if batch.overtaken is None else self._accounts.get(batch.overtaken)
            if overtaken is not None:
                overtaken.overtaken_s = min(overtaken.overtaken_s + seconds, 10 * OVERTAKING_S)

    def finish_batch(self, batch: Batch[Item, Result], outcomes: Sequence[Result | Exception]) -> None:
        """Deliver the results of a batch: one outcome for each entry."""
        with self._changed:
            self._open = [other for other in self._open if other is not batch]
        deliver(batch.entries, outcomes)

    def take_entries(self) -> list[QueueEntry[Item, Result]]:
        """Take the entries of the next batch, for a worker that delivers their outcomes itself."""
        batch = self.take_batch()
        if batch is None:
            return []
        with self._changed:
            self._open = [other for other in self._open if other is not batch]
        return batch.entries

    # --- admission; all below is called with the lock held -------------------------------------------------------

    def _require_room(self, entry: QueueEntry[Item, Result]) -> None:
        """Raise OverloadedError if an entry cannot be processed in time, or its client already has its share."""
        backlogs, stretch = self._compute_backlogs(), self._stretch()
        if len(self._waiting) >= self._max_requests:
            raise create_overloaded_error(
                f"{self._max_requests} requests are already waiting", stretch * sum(backlogs.values())
            )
        own_s, held_s = entry.seconds, backlogs.get(entry.client, 0.0)
        if self._accounts.has_others(entry.client):
            own_entries = sum(other.client == entry.client for other in self._waiting)
            if own_entries >= max(1, int(self._client_share * self._max_requests)):
                raise create_overloaded_error("this client already has its share of the queue", stretch * held_s)
            excess = stretch * (held_s + own_s) - self._client_share * self._horizon_s
            if held_s > 0 and excess > 0:
                raise create_overloaded_error(
                    "this client already has its share of the waiting work", excess * len({*backlogs, entry.client})
                )
        done_in = stretch * estimate_done_in(entry, self._waiting, self._open, backlogs)
        late = done_in - MARGIN * (entry.deadline - self._clock())
        if late > 0 and done_in > stretch * own_s:
            raise create_overloaded_error("the request could not be processed in time", late)

    def _drop_hopeless(self) -> None:
        """Reject entries that will be late according to newer estimates, before their deadline passes."""
        now = self._clock()
        if now < self._next_shedding:
            return
        self._next_shedding = now + SHED_INTERVAL_S
        for entry in self._iterate_entries():
            entry.seconds = self._estimate(entry.item)
        for batch in [candidate for candidate in self._open if candidate.sliced and candidate.spent_s > HOPELESS_S]:
            left = max(entry.deadline for entry in batch.entries) - now
            if self._stretch() * batch.remaining_s > 2 * max(left, 0.0):
                self._open.remove(batch)
                fail_all(batch.entries, DeadlineError("the request takes too long on this machine"))
        stretch, total_s = self._stretch(), sum(self._compute_backlogs().values())
        for entry in self._waiting[::-1]:  # newest first
            left = entry.deadline - now
            if entry.urgent or stretch * total_s <= left:
                continue
            backlogs = self._compute_backlogs()
            done_in = stretch * estimate_done_in(entry, self._waiting, self._open, backlogs)
            if done_in > left and done_in > 2 * stretch * entry.seconds:
                self._waiting.remove(entry)
                total_s -= entry.seconds
                fail_all([entry], create_overloaded_error("the request cannot be processed in time", done_in - left))

    def _compute_backlogs(self) -> dict[str, float]:
        """Seconds of worker time that the entries of each client need."""
        return compute_backlogs(self._waiting, self._open)

    def _iterate_entries(self) -> Iterator[QueueEntry[Item, Result]]:
        """Iterate over all entries, waiting or in progress."""
        yield from self._waiting
        for batch in self._open:
            yield from batch.entries

    def _drop_cancelled(self) -> None:
        """Drop entries that were cancelled or timed out."""
        now = self._clock()
        if any(entry.future.cancelled() or entry.deadline <= now for entry in self._waiting):
            waiting, self._waiting = self._waiting, []
            for entry in waiting:
                if entry.future.cancelled():
                    continue
                if entry.deadline <= now:
                    fail_all([entry], DeadlineError("the request was not processed in time"))
                else:
                    self._waiting.append(entry)
        if any(all(entry.future.cancelled() for entry in batch.entries) for batch in self._open):
            self._open = [batch for batch in self._open if not all(one.future.cancelled() for one in batch.entries)]
