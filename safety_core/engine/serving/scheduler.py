"""Schedules verdict batches, prefills and decode steps on the one model thread. Knows no torch, no asyncio and no HTTP.

One thread owns the model. Its turn is at most one batch of verdicts or one slice of an expensive one, one prefill of
the replies that join, and one token of every running reply: so neither long replies nor expensive or many requests can
starve the others, and a refused request, which ends with its verdict, costs the replies nothing else.

Whatever raises in a turn, updates of replies that were removed before are delivered.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from safety_core.engine.exceptions import describe, out_of_memory
from safety_core.engine.messages import GeneratorLike, GuardLike, GuardRequest, Judged, Prepared, Work
from safety_core.engine.serving.batcher import Batch, Batcher
from safety_core.engine.serving.cores import CoreShare
from safety_core.engine.serving.heap_trimmer import HeapTrimmer
from safety_core.engine.serving.work_rates import WorkRates
from safety_core.errors import DeadlineError, ExhaustedError, GenerationError, SafeVLMError, StoppedError

_logger = logging.getLogger(__name__)

IDLE_CHECK_S = 1.0
"""Longest sleep of an idle worker: a waiter that left, or ran out of time, is forgotten at least so often."""

SLICE_S = 0.02
"""Seconds of an expensive judgement between two checks for other work."""


class Observer(Protocol):
    """Who counts what the engine does; called from the worker's thread."""

    def batch(self, queue: str, size: int) -> None:
        """So many requests went through the model together."""

    def tokens(self, kind: str, count: int) -> None:
        """So many tokens were read (``prompt``) or made (``completion``)."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A reply that somebody waits for."""

    job: Any
    """What the generator needs."""

    deadline: float
    """When its reader will have given up."""

    since: float
    """When it was asked for."""

    client: str = ""
    """For whom."""

    queue_s: float = 0.0
    """Seconds that it waited for a place."""

    row: Any = None
    """Its row, once it has joined."""

    departed: bool = False
    """Whether its reader has gone."""


@dataclass(frozen=True, slots=True)
class Progress:
    """News of one reply."""

    ticket: Ticket
    """Whose."""

    piece: str = ""
    """Text that has become certain."""

    row: Any = None
    """The row, where the reply is complete."""

    failure: Exception | None = None
    """Why nothing more will come."""


class Scheduler:
    """Runs a guard's batches and replies.

    Args:
        guard: judges and makes generators; its model is touched by the thread that calls :meth:`run` only.
        deliver: receives updates of replies, in the worker's thread, a few times a turn.
        observer: counts.
        max_requests: requests that may wait for a verdict.
        max_batch: views in a batch of verdicts.
        max_wait_s: longest time that a verdict is held back for requests that are known to be on their way.
        max_prefill: positions of prompts that are read in one turn; a longer one goes alone.
        horizon_s: seconds of waiting work that there may be, as far as the shares of clients are concerned.
        client_share: share of the queue that one client may hold while others are present.
        cores: those that the model may use; asked before each turn.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        guard: GuardLike,
        deliver: Callable[[Sequence[Progress]], None],
        observer: Observer,
        *,
        max_requests: int,
        max_batch: int,
        max_wait_s: float,
        max_prefill: int,
        horizon_s: float = math.inf,
        client_share: float = 0.5,
        cores: CoreShare | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guard = guard
        self._deliver = deliver
        self._observer = observer
        self._max_prefill = max_prefill
        self._cores = CoreShare() if cores is None else cores
        self._clock = clock
        self._changed = threading.Condition()
        self._rates = WorkRates()
        self._verdicts: Batcher[Prepared, Judged] = Batcher(
            max_requests=max_requests,
            max_batch=max_batch,
            max_wait_s=max_wait_s,
            changed=self._changed,
            clock=clock,
            estimate=lambda prepared: self._rates.seconds(prepared.amount),
            stretch=lambda: self._rates.stretch,
            horizon_s=horizon_s,
            client_share=client_share,
        )
        self._news: list[Progress] = []
        self._trimmer = HeapTrimmer()
        self._exhausted = False
        self._joining: deque[Ticket] = deque()
        self._running: dict[int, Ticket] = {}
        self._generator: GeneratorLike | None = None
        self._turn_since: float | None = None
        self._down = False
        self._closing = False

    # --- any thread ----------------------------------------------------------------------------------------------

    @property
    def verdicts(self) -> Batcher[Prepared, Judged]:
        """The queue of those who wait for a verdict."""
        return self._verdicts

    @property
    def waiting_replies(self) -> int:
        """Replies that wait for a place."""
        with self._changed:
            return sum(not ticket.departed for ticket in self._joining)

    @property
    def down(self) -> bool:
        """Whether the last worker died and no other has begun yet."""
        return self._down

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        with self._changed:
            return self._turn_since is None and not self._work_in()

    @property
    def turn_s(self) -> float:
        """Seconds that the present turn has taken so far; 0 while idle."""
        since = self._turn_since
        return 0.0 if since is None else self._clock() - since

    @property
    def exhausted(self) -> bool:
        """Whether memory ran out and nothing has succeeded since."""
        return self._exhausted

    def judge(
        self, prepared: Prepared, *, deadline: float, expected: bool = False, client: str = "", urgent: bool = False
    ) -> Future[Judged]:
        """Request a verdict; cancelling the future cancels the request. Arguments as of ``Batcher.put``.

        Raises:
            OverloadedError: the queue is full, or the verdict would come too late.
            StoppedError: the worker is dead or stopping.
        """
        return self._verdicts.put(
            prepared, deadline=deadline, cost=prepared.cost, expected=expected, client=client, urgent=urgent
        )

    def require_room(self, request: GuardRequest, least: Work, *, deadline: float, client: str = "") -> None:
        """Raise OverloadedError where a verdict on a request that takes at least ``least`` would come too late."""
        item, seconds = Prepared(request=request), self._rates.seconds(least)
        self._verdicts.require_room(item, seconds, deadline=deadline, client=client)

    def answer(self, job: Any, *, deadline: float, client: str = "") -> Ticket:
        """Ask for a reply; its news carry the ticket.

        Raises:
            StoppedError: the worker is dead or stopping.
        """
        ticket = Ticket(job, deadline, since=self._clock(), client=client)
        with self._changed:
            if self._closing or self._down:
                raise StoppedError("no more work is taken")
            self._joining.append(ticket)
            self._changed.notify_all()
        return ticket

    def depart(self, ticket: Ticket) -> None:
        """The reader has gone: the reply leaves before the next token."""
        ticket.departed = True
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Take no more work; the worker ends after its turn, and whoever waits then fails."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    # --- the worker's thread -------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until closed. Raises whatever breaks the worker; :meth:`bury` then tells those who waited."""
        self.begin()
        while self._sleep_until_work():
            self._guard.use_cores(self._cores.free)
            self.turn()
        self.bury(StoppedError("the server is stopping"))

    def begin(self) -> None:
        """Take work, with a new generator."""
        self._generator = self._guard.generator()
        with self._changed:
            self._down = False
            self._verdicts.open()

    def turn(self) -> None:
        """Run one turn: judge a batch or a slice, add replies that are due, generate one token of every running reply.

        Updates of replies are delivered whatever raises.
        """
        began = self._clock()
        judging_s = 0.0
        try:
            self._forget_departed()
            if self._verdicts.due_in() == 0.0:
                judging_s = self._judge()
            self._admit()
            self._step()
        finally:
            self._flush()
        if judging_s and (self._verdicts.busy or self._verdicts.depth):
            self._rates.record_turn(self._clock() - began, judging_s)

    def bury(self, reason: Exception) -> None:
        """Fail everybody who waits; the generator and all it held is let go."""
        self._verdicts.close(reason)
        with self._changed:
            self._down = True
            lost = [*self._running.values(), *self._joining]
            self._generator, self._turn_since = None, None
            self._running.clear()
            self._joining.clear()
        self._news += [Progress(ticket, failure=reason) for ticket in lost]
        self._flush()

    def _sleep_until_work(self) -> bool:
        """Wait for work; False once closed. An idle worker frees the memory that it no longer needs."""
        with self._changed:
            self._turn_since = None
        while True:
            with self._changed:
                if self._closing:
                    return False
                due_in = 0.0 if self._work_in() else self._verdicts.due_in()
                if due_in == 0.0:
                    self._turn_since = self._clock()
                    return True
                woken = self._changed.wait(IDLE_CHECK_S if due_in is None else due_in)
            if due_in is None and not woken:
                generator = self._generator
                if generator is not None:
                    generator.release()
                self._trimmer.after_work()

    def _work_in(self) -> bool:
        """Whether a turn has something to do besides a batch that is not due; called with the lock held."""
        return bool(self._running or self._joining or self._verdicts.due_in() == 0.0)

    def _judge(self) -> float:
        """Judge the next batch, or a slice of it; returns the seconds that it took."""
        batch = self._verdicts.next_batch()
        if batch is None:
            return 0.0
        items = [entry.item for entry in batch.entries]
        if batch.progress is None:
            self._observe(lambda: self._observer.batch("guard", len(items)))
        began = self._clock()
        if batch.sliced:
            outcomes = self._advanced(batch, items)
        else:
            outcomes = self._guard.judge(items)
            self._rates.record(sum((item.amount for item in items), Work()), self._clock() - began)
        seconds = self._clock() - began
        self._verdicts.charge(batch, seconds)
        if outcomes is not None:
            self._note_memory(outcomes)
            self._verdicts.finish(batch, outcomes)
        return seconds

    def _advanced(
        self, batch: Batch[Prepared, Judged], items: Sequence[Prepared]
    ) -> Sequence[Judged | Exception] | None:
        """Work on a batch for the length of a slice; its outcomes, once it is done."""
        if batch.progress is None:
            batch.progress = self._guard.judge_in_slices(items)
        began = last = self._clock()
        while True:
            try:
                done = next(batch.progress)
            except StopIteration as end:
                outcomes: Sequence[Judged | Exception] = end.value
                return outcomes
            now = self._clock()
            batch.unrecorded_s += now - last
            last = now
            if done != Work():
                self._rates.record(done, batch.unrecorded_s)
                batch.unrecorded_s = 0.0
            if now - began >= SLICE_S:
                return None

    def _forget_departed(self) -> None:
        """Take out whose readers have gone or are out of time."""
        now = self._clock()
        for row_id, ticket in list(self._running.items()):
            if ticket.departed or ticket.deadline <= now:
                self._made().drop(ticket.row)
                del self._running[row_id]
                self._news.append(Progress(ticket, failure=DeadlineError("the reply took too long")))
        with self._changed:
            left = [ticket for ticket in self._joining if ticket.departed or ticket.deadline <= now]
            for ticket in left:
                self._joining.remove(ticket)
        self._news += [Progress(ticket, failure=DeadlineError("no reply slot became free in time")) for ticket in left]
        self._flush()

    def _admit(self) -> None:
        """Add replies while there is room: clients with the fewest running replies first, each client's in order."""
        generator = self._made()
        joining: list[Ticket] = []
        positions = 0
        while (ticket := self._first_joining()) is not None:
            if ticket.row is None:
                try:
                    ticket.row = generator.row(ticket.job)
                except Exception as exc:
                    self._news.append(Progress(ticket, failure=_failure(exc)))
                    self._take_out(ticket)
                    continue
            positions += ticket.row.prompt_positions
            if joining and positions > self._max_prefill:
                break
            if not generator.fits([*(one.row for one in joining), ticket.row]):
                break
            ticket.queue_s = self._clock() - ticket.since
            self._running[id(ticket.row)] = ticket
            self._take_out(ticket)
            joining.append(ticket)
        self._flush()
        if joining:
            prompts = sum(ticket.row.prompt_positions for ticket in joining)
            self._observe(lambda: self._observer.tokens("prompt", prompts))
            self._report(generator.admit([ticket.row for ticket in joining]))

    def _step(self) -> None:
        generator = self._made()
        running = generator.running
        if running:
            self._observe(lambda: self._observer.batch("generate", running))
            self._report(generator.step())

    def _report(self, made: Sequence[Any]) -> None:
        """Tell readers what a step made for them."""
        for one in made:
            row = one.row
            ticket = self._running.get(id(row))
            if ticket is None:  # nobody reads it any more
                continue
            failure = row.failure
            complete = row if row.done and failure is None else None
            if one.piece or row.done:
                self._news.append(Progress(ticket, one.piece, complete, failure))
            if row.done:
                del self._running[id(row)]
        self._flush()
        self._note_memory([one.row.failure for one in made])
        tokens = sum(one.row.failure is None for one in made)
        self._observe(lambda: self._observer.tokens("completion", tokens))

    def _note_memory(self, outcomes: Sequence[object]) -> None:
        """Remember whether memory ran out, until something succeeds."""
        if any(isinstance(outcome, ExhaustedError) for outcome in outcomes):
            self._exhausted = True
        elif not all(isinstance(outcome, Exception) for outcome in outcomes):
            self._exhausted = False

    def _flush(self) -> None:
        """Deliver the updates so far."""
        news, self._news = self._news, []
        if news:
            self._deliver(news)

    def _observe(self, count: Callable[[], None]) -> None:
        """Call the observer; its failures do not affect the work."""
        try:
            count()
        except Exception as exc:
            _logger.error("the engine's observer failed: %s", describe(exc))

    def _made(self) -> GeneratorLike:
        assert self._generator is not None, "the worker has not begun"
        return self._generator

    def _first_joining(self) -> Ticket | None:
        """The reply to add next: the longest waiting one of the clients with the fewest running replies."""
        with self._changed:
            if not self._joining:
                return None
            running = Counter(ticket.client for ticket in self._running.values())
            return min(self._joining, key=lambda ticket: running[ticket.client])

    def _take_out(self, ticket: Ticket) -> None:
        with self._changed:
            self._joining.remove(ticket)


def _failure(exc: Exception) -> Exception:
    """The error of a reply that could not be started."""
    if isinstance(exc, SafeVLMError):
        return exc
    if out_of_memory(exc):
        return ExhaustedError("there was not enough memory")
    _logger.error("a reply could not begin: %s", describe(exc))
    return GenerationError("the reply could not be made")
