"""Schedules verdict batches, prefills and decode steps on the one model thread. Knows no torch, no asyncio and no HTTP.

One thread owns the model. Each of its turns runs at most one batch of verdicts or one slice of an expensive batch, one
prefill of joining replies, and one token of every running reply. Therefore neither long replies nor expensive or many
requests can starve others, and a refused request costs the replies no more than its verdict.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from safety_core.engine.messages import GuardRequest
from safety_core.engine.protocols import GenerationRequestLike, GuardLike
from safety_core.engine.serving.cores import CoreShare
from safety_core.engine.serving.heap_trimmer import HeapTrimmer
from safety_core.engine.serving.observer import Observer, record_safely
from safety_core.engine.serving.queueing.batcher import Batcher
from safety_core.engine.serving.queueing.entries import Batch
from safety_core.engine.serving.queueing.work_rates import WorkRates
from safety_core.engine.serving.replies import ReplyHandle, ReplyRunner, ReplyUpdate
from safety_core.engine.work import JudgedRequest, PreparedRequest, Work
from safety_core.errors import ExhaustedError, StoppedError

IDLE_CHECK_S = 1.0
"""Maximum sleep of an idle worker in seconds; cancelled and timed-out requests are removed at least this often."""

SLICE_S = 0.02
"""Seconds of an expensive judgement between two checks for other work."""


class Scheduler:
    """Runs the batches and replies of a guard.

    Args:
        guard: judges, and creates generators; only the thread that calls :meth:`run` uses its model.
        deliver: receives updates of replies, in the model's thread, a few times a turn.
        observer: records the work.
        max_requests: maximum number of requests that wait for a verdict.
        max_batch: maximum cost of a batch of verdicts.
        max_wait_s: maximum time in seconds that a verdict waits for expected requests.
        max_prefill: positions of prompts that are read in one turn; a longer prompt is read alone.
        horizon_s: seconds of waiting work of which each client has a share.
        client_share: share of the queue that one client may hold while other clients are present.
        cores: the cores that the model may use; read before each turn.
        clock: returns monotonic time in seconds.
    """

    def __init__(
        self,
        guard: GuardLike,
        deliver: Callable[[Sequence[ReplyUpdate]], None],
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
        self._observer = observer
        self._cores = CoreShare() if cores is None else cores
        self._clock = clock
        self._changed = threading.Condition()
        self._rates = WorkRates()
        self._verdicts: Batcher[PreparedRequest, JudgedRequest] = Batcher(
            max_requests=max_requests,
            max_batch=max_batch,
            max_wait_s=max_wait_s,
            changed=self._changed,
            clock=clock,
            estimate=lambda prepared: self._rates.estimate_seconds(prepared.amount),
            stretch=lambda: self._rates.stretch,
            horizon_s=horizon_s,
            client_share=client_share,
        )
        self._replies = ReplyRunner(
            deliver, observer, self._note_outcomes, self._changed, max_prefill=max_prefill, clock=clock
        )
        self._trimmer = HeapTrimmer()
        self._exhausted = False
        self._turn_since: float | None = None
        self._down = False
        self._closing = False

    # --- any thread ----------------------------------------------------------------------------------------------

    @property
    def verdicts(self) -> Batcher[PreparedRequest, JudgedRequest]:
        """The queue of requests that wait for a verdict."""
        return self._verdicts

    @property
    def waiting_replies(self) -> int:
        """Number of replies that wait to be started."""
        return self._replies.waiting

    @property
    def down(self) -> bool:
        """Whether the last worker died and no new worker has started yet."""
        return self._down

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        with self._changed:
            return self._turn_since is None and not self._has_work()

    @property
    def turn_s(self) -> float:
        """Duration of the current turn so far in seconds; 0 while idle."""
        since = self._turn_since
        return 0.0 if since is None else self._clock() - since

    @property
    def exhausted(self) -> bool:
        """Whether memory ran out and nothing has succeeded since."""
        return self._exhausted

    def request_verdict(
        self,
        prepared: PreparedRequest,
        *,
        deadline: float,
        expected: bool = False,
        client: str = "",
        urgent: bool = False,
    ) -> Future[JudgedRequest]:
        """Request a verdict; cancelling the future cancels the request. Arguments are those of ``Batcher.put``.

        Raises:
            OverloadedError: the queue is full, or the verdict would come too late.
            StoppedError: the worker is dead or stopping.
        """
        return self._verdicts.put(
            prepared, deadline=deadline, cost=prepared.cost, expected=expected, client=client, urgent=urgent
        )

    def require_room(self, request: GuardRequest, least: Work, *, deadline: float, client: str = "") -> None:
        """Raise OverloadedError if a verdict on a request with at least ``least`` work would come too late."""
        item, seconds = PreparedRequest(request=request), self._rates.estimate_seconds(least)
        self._verdicts.require_room(item, seconds, deadline=deadline, client=client)

    def request_reply(self, request: GenerationRequestLike, *, deadline: float, client: str = "") -> ReplyHandle:
        """Request a reply, whose updates contain the returned handle.

        Raises:
            StoppedError: the worker is dead or stopping.
        """
        handle = ReplyHandle(request, deadline, requested_at=self._clock(), client=client)
        with self._changed:
            if self._closing or self._down:
                raise StoppedError("no more work is accepted")
            self._replies.add(handle)
            self._changed.notify_all()
        return handle

    def cancel(self, handle: ReplyHandle) -> None:
        """Cancel a reply; it is removed before the next token."""
        handle.cancelled = True
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Stop accepting work; the worker ends after its turn, and all remaining requests fail."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    # --- the worker's thread -------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until closed. If an exception ends the worker, :meth:`fail_all` must be called for all requests."""
        self.start()
        while self._sleep_until_work():
            self._guard.use_cores(self._cores.free)
            self.run_turn()
        self.fail_all(StoppedError("the server is stopping"))

    def start(self) -> None:
        """Accept work, with a new generator."""
        self._replies.start(self._guard.create_generator())
        with self._changed:
            self._down = False
            self._verdicts.open()

    def run_turn(self) -> None:
        """Judge a batch or a slice, start replies that are due, and generate one token of every running reply.

        Updates of replies are delivered even after an exception.
        """
        began = self._clock()
        judging_s = 0.0
        try:
            self._replies.drop_cancelled()
            if self._verdicts.get_due_in() == 0.0:
                judging_s = self._judge()
            self._replies.admit()
            self._replies.step()
        finally:
            self._replies.flush()
        if judging_s and (self._verdicts.busy or self._verdicts.depth):
            self._rates.record_turn(self._clock() - began, judging_s)

    def fail_all(self, reason: Exception) -> None:
        """Fail all requests, and drop the generator with all its data."""
        self._verdicts.close(reason)
        with self._changed:
            self._down = True
            self._turn_since = None
        self._replies.fail_all(reason)

    def _sleep_until_work(self) -> bool:
        """Wait for work; False once closed. An idle worker frees memory that it no longer needs."""
        with self._changed:
            self._turn_since = None
        while True:
            with self._changed:
                if self._closing:
                    return False
                due_in = 0.0 if self._has_work() else self._verdicts.get_due_in()
                if due_in == 0.0:
                    self._turn_since = self._clock()
                    return True
                woken = self._changed.wait(IDLE_CHECK_S if due_in is None else due_in)
            if due_in is None and not woken:
                self._replies.release_memory()
                self._trimmer.trim_if_due()

    def _has_work(self) -> bool:
        """Whether there is work for a turn other than a batch that is not due; called with the lock held."""
        return self._replies.has_work or self._verdicts.get_due_in() == 0.0

    def _judge(self) -> float:
        """Judge the next batch, or a slice of it; returns the duration in seconds."""
        batch = self._verdicts.take_batch()
        if batch is None:
            return 0.0
        items = [entry.item for entry in batch.entries]
        if batch.slices is None:
            record_safely(lambda: self._observer.record_batch("guard", len(items)))
        began = self._clock()
        if batch.sliced:
            outcomes = self._run_slice(batch, items)
        else:
            outcomes = self._guard.judge(items)
            self._rates.record(sum((item.amount for item in items), Work()), self._clock() - began)
        seconds = self._clock() - began
        self._verdicts.charge_batch(batch, seconds)
        if outcomes is not None:
            self._note_outcomes(outcomes)
            self._verdicts.finish_batch(batch, outcomes)
        return seconds

    def _run_slice(
        self, batch: Batch[PreparedRequest, JudgedRequest], items: Sequence[PreparedRequest]
    ) -> Sequence[JudgedRequest | Exception] | None:
        """Work on a batch for the duration of a slice; returns its outcomes once it is done."""
        if batch.slices is None:
            batch.slices = self._guard.judge_in_slices(items)
        began = last = self._clock()
        while True:
            try:
                done = next(batch.slices)
            except StopIteration as end:
                outcomes: Sequence[JudgedRequest | Exception] = end.value
                return outcomes
            now = self._clock()
            batch.unrecorded_s += now - last
            last = now
            if done != Work():
                self._rates.record(done, batch.unrecorded_s)
                batch.unrecorded_s = 0.0
            if now - began >= SLICE_S:
                return None

    def _note_outcomes(self, outcomes: Sequence[object]) -> None:
        """Remember whether memory ran out, until something succeeds."""
        if any(isinstance(outcome, ExhaustedError) for outcome in outcomes):
            self._exhausted = True
        elif not all(isinstance(outcome, Exception) for outcome in outcomes):
            self._exhausted = False
