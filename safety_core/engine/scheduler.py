"""The worker's day: whose turn it is between verdicts and replies. Knows no torch, no asyncio and no HTTP.

One thread owns the model. A turn of it is at most one batch of verdicts, one prefill of the replies that join, and one
token of every running reply: so neither long replies nor many requests can keep the others from their turn, and a
refused request, which never gets past its verdict, costs the replies nothing else.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from safety_core.engine.batcher import Batcher, Entry, fail, settle
from safety_core.engine.messages import GeneratorLike, GuardLike, Judged, Prepared
from safety_core.errors import DeadlineError, StoppedError

IDLE_CHECK_S = 1.0
"""Longest sleep of an idle worker: a waiter that left, or ran out of time, is forgotten at least so often."""


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
        deliver: given news of replies, in the worker's thread, a few times a turn.
        observer: counts.
        max_queue: requests that may wait for a verdict.
        max_cost: views in a batch of verdicts.
        max_wait_s: longest time that a verdict is held back for company that is known to be on its way.
        max_prefill: positions of prompts that are read in one turn; a longer one goes alone.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        guard: GuardLike,
        deliver: Callable[[Sequence[Progress]], None],
        observer: Observer,
        *,
        max_queue: int,
        max_cost: int,
        max_wait_s: float,
        max_prefill: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guard = guard
        self._deliver = deliver
        self._observer = observer
        self._max_prefill = max_prefill
        self._clock = clock
        self._changed = threading.Condition()
        self._verdicts: Batcher[Prepared, Judged] = Batcher(
            max_queue=max_queue, max_cost=max_cost, max_wait_s=max_wait_s, changed=self._changed, clock=clock
        )
        self._joining: deque[Ticket] = deque()
        self._running: dict[int, Ticket] = {}
        self._in_hand: Sequence[Entry[Prepared, Judged]] = ()
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

    def judge(self, prepared: Prepared, *, deadline: float, expected: bool = False) -> Future[Judged]:
        """Ask for a verdict; cancelling the future gives the place in the queue back. Arguments as of ``Batcher.put``.

        Raises:
            OverloadedError: the queue is full.
            StoppedError: the worker is dead or stopping.
        """
        return self._verdicts.put(prepared, deadline=deadline, cost=prepared.cost, expected=expected)

    def answer(self, job: Any, *, deadline: float) -> Ticket:
        """Ask for a reply; its news carry the ticket.

        Raises:
            StoppedError: the worker is dead or stopping.
        """
        ticket = Ticket(job, deadline, since=self._clock())
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
            self.turn()
        self.bury(StoppedError("the server is stopping"))

    def begin(self) -> None:
        """Take work, with a new generator."""
        self._generator = self._guard.generator()
        with self._changed:
            self._down = False
            self._verdicts.open()

    def turn(self) -> None:
        """One batch of verdicts, one prefill, one token of every running reply: as much of it as there is to do."""
        self._forget_departed()
        if self._verdicts.due_in() == 0.0:
            self._judge()
        self._admit()
        self._step()

    def bury(self, reason: Exception) -> None:
        """Fail everybody who waits; the generator and all it held is let go."""
        self._verdicts.close(reason)
        fail(self._in_hand, reason)
        with self._changed:
            self._down = True
            lost = [*self._running.values(), *self._joining]
            self._in_hand, self._generator, self._turn_since = (), None, None
            self._running.clear()
            self._joining.clear()
        self._deliver([Progress(ticket, failure=reason) for ticket in lost])

    def _sleep_until_work(self) -> bool:
        """Wait for something to do; False once closed."""
        with self._changed:
            self._turn_since = None
            while not self._closing:
                due_in = 0.0 if self._work_in() else self._verdicts.due_in()
                if due_in == 0.0:
                    self._turn_since = self._clock()
                    return True
                self._changed.wait(IDLE_CHECK_S if due_in is None else due_in)
            return False

    def _work_in(self) -> bool:
        """Whether a turn has something to do besides a batch that is not due; called with the lock held."""
        return bool(self._running or self._joining or self._in_hand or self._verdicts.due_in() == 0.0)

    def _judge(self) -> None:
        self._in_hand = self._verdicts.take()
        if self._in_hand:
            self._observer.batch("guard", len(self._in_hand))
            settle(self._in_hand, self._guard.judge([entry.item for entry in self._in_hand]))
        self._in_hand = ()

    def _forget_departed(self) -> None:
        """Take out whose readers have gone or are out of time."""
        now, news = self._clock(), []
        for row_id, ticket in list(self._running.items()):
            if ticket.departed or ticket.deadline <= now:
                self._made().drop(ticket.row)
                del self._running[row_id]
                news.append(Progress(ticket, failure=DeadlineError("the reply took too long")))
        with self._changed:
            left = [ticket for ticket in self._joining if ticket.departed or ticket.deadline <= now]
            for ticket in left:
                self._joining.remove(ticket)
        news += [Progress(ticket, failure=DeadlineError("there was no place in time")) for ticket in left]
        self._tell(news)

    def _admit(self) -> None:
        """Let those join for whom there is room, in the order in which they came."""
        generator, news = self._made(), []
        joining: list[Ticket] = []
        positions = 0
        while (ticket := self._first_joining()) is not None:
            if ticket.row is None:
                try:
                    ticket.row = generator.row(ticket.job)
                except Exception as exc:
                    news.append(Progress(ticket, failure=exc))
                    self._pop_joining()
                    continue
            positions += ticket.row.prompt_positions
            if joining and positions > self._max_prefill:
                break
            if not generator.fits([*(one.row for one in joining), ticket.row]):
                break
            ticket.queue_s = self._clock() - ticket.since
            self._running[id(ticket.row)] = ticket
            self._pop_joining()
            joining.append(ticket)
        self._tell(news)
        if joining:
            self._observer.tokens("prompt", sum(ticket.row.prompt_positions for ticket in joining))
            self._report(generator.admit([ticket.row for ticket in joining]))

    def _step(self) -> None:
        generator = self._made()
        if generator.running:
            self._observer.batch("generate", generator.running)
            self._report(generator.step())

    def _report(self, made: Sequence[Any]) -> None:
        """Tell readers what a step made for them."""
        news = []
        for one in made:
            ticket = self._running[id(one.row)]
            if one.row.done:
                del self._running[id(one.row)]
            failure = one.row.failure
            complete = one.row if one.row.done and failure is None else None
            if one.piece or one.row.done:
                news.append(Progress(ticket, one.piece, complete, failure))
        self._observer.tokens("completion", sum(one.row.failure is None for one in made))
        self._tell(news)

    def _tell(self, news: Sequence[Progress]) -> None:
        if news:
            self._deliver(news)

    def _made(self) -> GeneratorLike:
        assert self._generator is not None, "the worker has not begun"
        return self._generator

    def _first_joining(self) -> Ticket | None:
        with self._changed:
            return self._joining[0] if self._joining else None

    def _pop_joining(self) -> None:
        with self._changed:
            self._joining.popleft()
