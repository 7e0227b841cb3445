"""A bounded, fair queue whose entries are worked on in batches. Every entry is settled exactly once, whatever happens.

Several threads add entries, one worker takes them. An entry is dropped when its waiter has cancelled or its deadline
has passed, and frees its place. A batch is due once it is full, once its first entry has waited long enough, or as soon
as no further entry is expected: a single request never waits for others.

Order: the client that has used the least worker time is next, and of its entries the cheapest. A quarter of the time
goes to the client's oldest entry, so that an expensive one is delayed but never starved. Cheap entries of all clients
are processed together; an expensive one is processed alone and in slices, with cheaper ones in between.

Admission: an entry that could not be processed before its deadline is rejected at once, as is one whose client already
holds its share of the queue while other clients are present. An entry that would be next is always accepted.
Knows no torch, no asyncio and no guard.
"""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from safety_core.errors import DeadlineError, OverloadedError, StoppedError

Item = TypeVar("Item")
Result = TypeVar("Result")

CHEAP_S = 0.1
"""Work that takes no longer is done in one go, in a batch with other such work."""

CHEAP_COST = 2
"""Work of at most this cost also counts as cheap, however slow the machine is."""

OVERTAKING_S = 0.12
"""Seconds that a client's cheaper entries may take before its oldest one gets a slice: about three slices."""

MAX_OPEN = 4
"""Batches in progress at a time; beyond that, only cheaper ones start. Each holds its intermediate results."""

MARGIN = 0.8
"""Share of the time until its deadline by which an entry must be expected to be done: estimates are not exact."""

PRESENT_S = 60.0
"""Seconds after its last request for which a client counts as present."""

SHED_INTERVAL_S = 0.25
"""Seconds between two checks for entries that cannot be processed in time."""

HOPELESS_S = 2.0
"""Seconds of work after which an expensive entry is abandoned if it will take twice the time that is left."""

MAX_ACCOUNTS = 4096
"""Clients without entries whose accounts are kept."""

RETRY_S = (1.0, 60.0)
"""Bounds on the seconds in ``Retry-After``."""


def bounded_retry(seconds: float) -> float:
    """Seconds for ``Retry-After``, within bounds."""
    return min(max(seconds, RETRY_S[0]), RETRY_S[1])


@dataclass(slots=True, kw_only=True, eq=False)
class Entry(Generic[Item, Result]):
    """One item and who waits for its result."""

    item: Item
    """What is to be worked on."""

    cost: int
    """How much of a batch it takes."""

    since: float
    """When it was put in, by the batcher's clock."""

    deadline: float
    """When its waiter will have given up."""

    client: str = ""
    """For whom."""

    urgent: bool = False
    """Whether it goes before everything else, without being charged to a client."""

    seconds: float = 0.0
    """Estimated seconds of worker time that it takes."""

    future: Future[Result] = field(default_factory=Future)
    """Resolves to the result; cancelling it cancels the work."""

    @property
    def size(self) -> int:
        """Its size class."""
        return _size_class(self.seconds, self.cost)


@dataclass(slots=True, eq=False)
class Batch(Generic[Item, Result]):
    """Entries that are processed together."""

    entries: list[Entry[Item, Result]]
    """The client whose turn it is."""

    sliced: bool = False
    """Whether it takes so long that it is processed in slices."""

    spent_s: float = 0.0
    """Seconds of worker time spent on it so far."""

    unrecorded_s: float = 0.0
    """Seconds of ``spent_s`` that are not yet part of a recorded duration."""

    overtaken: str | None = None
    """The client whose oldest entry had to wait for this slice of it."""

    progress: Any = None
    """The state of the work, kept by the worker."""

    @property
    def remaining_s(self) -> float:
        """Estimated seconds until it is done; a batch that exceeded its estimate may or may not be nearly done."""
        whole = sum(entry.seconds for entry in self.entries)
        return max(whole - self.spent_s, 0.1 * whole)

    @property
    def size(self) -> int:
        """Size class of what remains. What is processed in slices is never cheap: the estimate may be too low."""
        return max(1, _size_class(self.remaining_s, self.entries[0].cost)) if self.sliced else 0


@dataclass(slots=True)
class _Account:
    """Account of one client."""

    served_s: float
    """Seconds of worker time used; raised to the level of the other clients when the client returns after a while."""

    seen: float
    """Time of its last request."""

    overtaken_s: float = 0.0
    """Seconds that its cheaper entries have run ahead of its oldest one."""


@dataclass(frozen=True, slots=True)
class _Candidate(Generic[Item, Result]):
    """A candidate for the next slice of work: a waiting entry, or a batch in progress."""

    entry: Entry[Item, Result]
    """The entry, or the oldest one of the batch."""

    batch: Batch[Item, Result] | None
    """The batch."""

    size: int
    """Size class of what remains to be done."""

    overtaken: str | None = None
    """Its client, if an older entry of that client has to wait for it."""

    @property
    def order(self) -> tuple[int, float]:
        """Sorts a client's candidates."""
        return self.size, self.entry.since

    @property
    def since(self) -> float:
        """When it was queued."""
        return self.entry.since


class Batcher(Generic[Item, Result]):
    """Gathers entries into batches.

    Args:
        max_requests: entries that may wait.
        max_batch: cost of a batch; an entry that alone costs more goes alone.
        max_wait_s: longest time that an entry is held back for others that are on their way.
        changed: notified whenever there may be work to take; can be shared to wait for several conditions at once.
        clock: seconds that only grow.
        estimate: seconds of the worker's time that an item takes.
        stretch: wall-clock seconds for each second of worker time, at least 1.
        horizon_s: seconds of waiting work that there may be, as far as shares are concerned.
        client_share: share of ``max_requests`` and ``horizon_s`` that one client may hold while others are present.
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
        self._waiting: list[Entry[Item, Result]] = []
        self._open: list[Batch[Item, Result]] = []
        self._accounts: dict[str, _Account] = {}
        self._served_s = 0.0
        self._next_shedding = clock()
        self._on_their_way = 0
        self._closed = False

    # --- any thread ----------------------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        """Entries that wait."""
        with self._changed:
            self._drop_departed()
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
            self._drop_departed()
            return self._stretch() * sum(self._backlogs().values())

    def served_s(self, client: str) -> float:
        """Worker time that a client has used, for ordering; a new client starts at the level of the others."""
        with self._changed:
            account = self._accounts.get(client)
            return self._served_s if account is None else max(account.served_s, self._served_s)

    def charge_for(self, client: str, seconds: float) -> None:
        """Charge a client for time of another shared resource than the worker."""
        with self._changed:
            if client not in self._accounts:
                self._add_account(client)
            account = self._accounts[client]
            account.served_s = max(account.served_s, self._served_s) + seconds

    def expect(self) -> None:
        """Somebody is on the way to :meth:`put`, or else to :meth:`no_longer_expect`: a batch may be held for them."""
        with self._changed:
            self._on_their_way += 1

    def no_longer_expect(self) -> None:
        """Somebody who was on the way will not come."""
        with self._changed:
            self._on_their_way -= 1
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
            deadline: when its waiter times out.
            cost: how much of a batch it takes.
            expected: whether it was announced before.
            client: for whom; clients share the worker's time evenly.
            urgent: put it before everything else, even if the queue is full.

        Raises:
            OverloadedError: the queue is full, or the item could not be processed in time; carries ``retry_after_s``.
            StoppedError: it is closed.
        """
        entry: Entry[Item, Result] = Entry(
            item=item, cost=cost, since=self._clock(), deadline=deadline, client=client, urgent=urgent
        )
        with self._changed:
            self._on_their_way -= expected
            self._changed.notify_all()  # whoever was held back for this one need not be any longer
            if self._closed:
                raise StoppedError("no more work is taken")
            self._drop_departed()
            entry.seconds = self._estimate(item)
            if not urgent:
                self._require_room(entry)
                self._open_account(entry)
            self._waiting.append(entry)
        return entry.future

    def require_room(self, item: Item, seconds: float, *, deadline: float, client: str = "") -> None:
        """Raise OverloadedError where :meth:`put` would, for an item that takes at least so many seconds."""
        cost = 1 if seconds <= CHEAP_S else CHEAP_COST + 1
        entry: Entry[Item, Result] = Entry(
            item=item, cost=cost, since=self._clock(), deadline=deadline, client=client, seconds=seconds
        )
        with self._changed:
            self._drop_departed()
            self._require_room(entry)

    def extend(self, future: Future[Result], deadline: float) -> None:
        """Extend an entry's deadline, because another waiter shares its result."""
        with self._changed:
            for entry in (*self._waiting, *(entry for batch in self._open for entry in batch.entries)):
                if entry.future is future:
                    entry.deadline = max(entry.deadline, deadline)

    def due_in(self) -> float | None:
        """Seconds until a batch is due, 0 if one is now; None while nothing waits."""
        with self._changed:
            self._drop_departed()
            if self._open:
                return 0.0
            if not self._waiting:
                return None
            full = sum(entry.cost for entry in self._waiting) >= self._max_batch
            if not self._on_their_way or full or any(entry.urgent for entry in self._waiting):
                return 0.0
            return max(0.0, self._waiting[0].since + self._max_wait_s - self._clock())

    def open(self) -> None:
        """Take entries again."""
        with self._changed:
            self._closed = False

    def close(self, reason: Exception) -> None:
        """Accept no more entries; those waiting or in progress fail with ``reason``."""
        with self._changed:
            self._closed = True
            left = [*self._waiting, *(entry for batch in self._open for entry in batch.entries)]
            self._waiting, self._open = [], []
            self._changed.notify_all()
        fail(left, reason)

    # --- the worker's thread -------------------------------------------------------------------------------------

    def next_batch(self) -> Batch[Item, Result] | None:
        """The batch to work on now, in progress or new; None if there is no work.

        It stays in progress until :meth:`finish`. :meth:`charge` must be called after each slice of work on it.
        """
        with self._changed:
            self._drop_departed()
            self._drop_hopeless()
            picked = self._pick()
            if picked is None:
                return None
            if picked.batch is not None:
                picked.batch.overtaken = picked.overtaken
                return picked.batch
            batch = self._gathered(picked.entry)
            batch.overtaken = picked.overtaken
            taken = set(map(id, batch.entries))
            self._waiting = [entry for entry in self._waiting if id(entry) not in taken]
            self._open.append(batch)
            return batch

    def charge(self, batch: Batch[Item, Result], seconds: float) -> None:
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

    def finish(self, batch: Batch[Item, Result], outcomes: Sequence[Result | Exception]) -> None:
        """Deliver the results of a batch: one outcome for each entry."""
        with self._changed:
            self._open = [other for other in self._open if other is not batch]
        settle(batch.entries, outcomes)

    def take(self) -> list[Entry[Item, Result]]:
        """The entries of the next batch, for a worker that works on one batch at a time and settles it itself."""
        batch = self.next_batch()
        if batch is None:
            return []
        with self._changed:
            self._open = [other for other in self._open if other is not batch]
        return batch.entries

    # --- order; all below is called with the lock held -----------------------------------------------------------

    def _pick(self) -> _Candidate[Item, Result] | None:
        """What is next."""
        candidates: dict[str, list[_Candidate[Item, Result]]] = defaultdict(list)
        for batch in self._open:
            batch.overtaken = None
            for entry in batch.entries:
                if entry.urgent:
                    return _Candidate(entry, batch, 0)
                candidates[entry.client].append(_Candidate(entry, batch, batch.size))
        least_open = min((batch.size for batch in self._open), default=0)
        for entry in self._waiting:
            if entry.urgent:
                return _Candidate(entry, None, 0)
            if len(self._open) < MAX_OPEN or entry.size < least_open:
                candidates[entry.client].append(_Candidate(entry, None, entry.size))
        if not candidates:
            return None
        client = min(candidates, key=lambda name: (self._accounts[name].served_s, candidates[name][0].since))
        account = self._accounts[client]
        self._served_s = max(self._served_s, account.served_s)
        oldest = min(candidates[client], key=lambda one: one.since)
        cheapest = min(candidates[client], key=lambda one: one.order)
        if cheapest.entry is oldest.entry:
            account.overtaken_s = 0.0
            return oldest
        if account.overtaken_s >= OVERTAKING_S:
            account.overtaken_s -= OVERTAKING_S
            return oldest
        return replace(cheapest, overtaken=client)

    def _gathered(self, head: Entry[Item, Result]) -> Batch[Item, Result]:
        """A new batch: an entry, and other cheap ones, of the clients with the least used time first."""
        if head.size or head.urgent:
            return Batch([head], sliced=head.size > 0 and not head.urgent)
        entries, cost = [head], head.cost
        others = [entry for entry in self._waiting if entry is not head and not entry.urgent and not entry.size]
        for entry in sorted(others, key=lambda one: (self._accounts[one.client].served_s, one.since)):
            if cost + entry.cost > self._max_batch:
                break
            entries.append(entry)
            cost += entry.cost
        return Batch(entries)

    # --- admission -----------------------------------------------------------------------------------------------

    def _require_room(self, entry: Entry[Item, Result]) -> None:
        """Raise OverloadedError if an entry cannot be processed in time, or its client already has its share."""
        backlogs, stretch = self._backlogs(), self._stretch()
        if len(self._waiting) >= self._max_requests:
            raise _overloaded(f"{self._max_requests} requests are waiting already", stretch * sum(backlogs.values()))
        own_s, held_s = entry.seconds, backlogs.get(entry.client, 0.0)
        if self._others_present(entry):
            mine = sum(other.client == entry.client for other in self._waiting)
            if mine >= max(1, int(self._client_share * self._max_requests)):
                raise _overloaded("this client already has its share of the queue", stretch * held_s)
            excess = stretch * (held_s + own_s) - self._client_share * self._horizon_s
            if held_s > 0 and excess > 0:
                raise _overloaded(
                    "this client already has its share of the waiting work", excess * len({*backlogs, entry.client})
                )
        done_in = stretch * self._done_in(entry, backlogs)
        late = done_in - MARGIN * (entry.deadline - self._clock())
        if late > 0 and done_in > stretch * own_s:
            raise _overloaded("the request could not be processed in time", late)

    def _done_in(self, entry: Entry[Item, Result], backlogs: dict[str, float]) -> float:
        """Seconds of worker time until an entry is done, given the order of entries.

        The client's work ahead of it, and as much of every other client's work, because clients take turns.
        """
        order = (entry.size, entry.since)
        mine = entry.seconds + sum(
            other.seconds
            for other in self._waiting
            if other is not entry and other.client == entry.client and (other.size, other.since) <= order
        )
        for batch in self._open:
            if any(other.client == entry.client for other in batch.entries):
                ahead = batch.size <= entry.size
                mine += batch.remaining_s if ahead else min(batch.remaining_s, entry.seconds / 3)
        return mine + sum(min(seconds, mine) for client, seconds in backlogs.items() if client != entry.client)

    def _drop_hopeless(self) -> None:
        """Reject entries that a better estimate shows to be late, before their deadline."""
        now = self._clock()
        if now < self._next_shedding:
            return
        self._next_shedding = now + SHED_INTERVAL_S
        for entry in self._wanted():
            entry.seconds = self._estimate(entry.item)
        for batch in [one for one in self._open if one.sliced and one.spent_s > HOPELESS_S]:
            left = max(entry.deadline for entry in batch.entries) - now
            if self._stretch() * batch.remaining_s > 2 * max(left, 0.0):
                self._open.remove(batch)
                fail(batch.entries, DeadlineError("the request takes too long on this machine"))
        stretch, whole = self._stretch(), sum(self._backlogs().values())
        for entry in self._waiting[::-1]:  # the newest first
            left = entry.deadline - now
            if entry.urgent or stretch * whole <= left:
                continue
            done_in = stretch * self._done_in(entry, self._backlogs())
            if done_in > left and done_in > 2 * stretch * entry.seconds:
                self._waiting.remove(entry)
                whole -= entry.seconds
                fail([entry], _overloaded("the request cannot be processed in time", done_in - left))

    def _backlogs(self) -> dict[str, float]:
        """Seconds of worker time that the entries of each client need."""
        backlogs: dict[str, float] = defaultdict(float)
        for entry in self._waiting:
            backlogs[entry.client] += entry.seconds
        for batch in self._open:
            for entry in batch.entries:
                backlogs[entry.client] += batch.remaining_s / len(batch.entries)
        return backlogs

    def _others_present(self, entry: Entry[Item, Result]) -> bool:
        """Whether other clients sent requests recently."""
        recently = self._clock() - PRESENT_S
        return any(name != entry.client and account.seen > recently for name, account in self._accounts.items())

    def _open_account(self, entry: Entry[Item, Result]) -> None:
        """Open a client's account; a client earns no credit while it has no entries."""
        now = self._clock()
        account = self._accounts.get(entry.client)
        if account is None:
            self._add_account(entry.client)
            return
        account.seen = now
        if not any(other.client == entry.client for other in self._wanted()):
            account.served_s = max(account.served_s, self._served_s)

    def _add_account(self, client: str) -> None:
        if len(self._accounts) >= MAX_ACCOUNTS:
            self._forget_accounts()
        self._accounts[client] = _Account(self._served_s, self._clock())

    def _forget_accounts(self) -> None:
        """Remove accounts of clients without entries, the longest absent first."""
        wanting = {entry.client for entry in self._wanted()}
        idle = sorted(
            (name for name in self._accounts if name not in wanting), key=lambda one: self._accounts[one].seen
        )
        for name in idle[: max(1, len(idle) // 2)]:
            del self._accounts[name]

    def _wanted(self) -> Iterable[Entry[Item, Result]]:
        yield from self._waiting
        for batch in self._open:
            yield from batch.entries

    def _drop_departed(self) -> None:
        """Drop entries that were cancelled or timed out."""
        now = self._clock()
        if any(entry.future.cancelled() or entry.deadline <= now for entry in self._waiting):
            waiting, self._waiting = self._waiting, []
            for entry in waiting:
                if entry.future.cancelled():
                    continue
                if entry.deadline <= now:
                    fail([entry], DeadlineError("the request was not processed in time"))
                else:
                    self._waiting.append(entry)
        if any(all(entry.future.cancelled() for entry in batch.entries) for batch in self._open):
            self._open = [batch for batch in self._open if not all(one.future.cancelled() for one in batch.entries)]


def _size_class(seconds: float, cost: int) -> int:
    """Size class: 0 is cheap, and each further class takes twice as long."""
    return 0 if seconds <= CHEAP_S or cost <= CHEAP_COST else 1 + int(math.log2(seconds / CHEAP_S))


def settle(batch: Sequence[Entry[Item, Result]], outcomes: Sequence[Result | Exception]) -> None:
    """Deliver one outcome to each entry of a batch; entries that already have one keep it."""
    for entry, outcome in zip(batch, outcomes, strict=True):
        try:
            if entry.future.done() or not entry.future.set_running_or_notify_cancel():
                continue
            if isinstance(outcome, Exception):
                entry.future.set_exception(outcome)
            else:
                entry.future.set_result(outcome)
        except (InvalidStateError, RuntimeError):  # cancelled, or failed by another thread, since it was asked
            continue


def fail(entries: Sequence[Entry[Item, Result]], reason: Exception) -> None:
    """Tell every waiter that there will be no result; who has one keeps it."""
    settle(entries, [reason] * len(entries))


def _overloaded(message: str, retry_after_s: float) -> OverloadedError:
    return OverloadedError(message, retry_after_s=bounded_retry(retry_after_s))
