"""The queue: batches by cost, deadlines, departures, closing; every entry settled once."""

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_core.engine.batcher import Batcher, fail, settle
from safety_core.errors import DeadlineError, OverloadedError, StoppedError


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def batcher(clock: Clock | None = None, *, max_queue: int = 100, max_cost: int = 4) -> Batcher[str, str]:
    return Batcher(max_queue=max_queue, max_cost=max_cost, max_wait_s=1.0, clock=clock or Clock())


def items(queue: Batcher[str, str]) -> list[str]:
    return [entry.item for entry in queue.take()]


def test_batches_keep_the_order_and_the_bound() -> None:
    queue = batcher()
    for name, cost in (("a", 1), ("b", 2), ("c", 2), ("d", 9), ("e", 1)):
        queue.put(name, deadline=10, cost=cost)
    assert [items(queue) for _ in range(5)] == [["a", "b"], ["c"], ["d"], ["e"], []]


def test_the_queue_is_bounded_and_departures_give_their_place_back() -> None:
    queue = batcher(max_queue=2)
    first = queue.put("a", deadline=10)
    queue.put("b", deadline=10)
    with pytest.raises(OverloadedError):
        queue.put("c", deadline=10)
    first.cancel()
    assert queue.depth == 1
    queue.put("c", deadline=10)
    assert items(queue) == ["b", "c"]


def test_whoever_is_out_of_time_is_told_so_and_never_worked_on() -> None:
    clock = Clock()
    queue = batcher(clock)
    late = queue.put("late", deadline=5)
    queue.put("in time", deadline=6)
    clock.now = 5
    assert items(queue) == ["in time"]
    with pytest.raises(DeadlineError):
        late.result(0)


def test_nobody_waits_for_company_that_is_not_on_its_way() -> None:
    queue = batcher()
    assert queue.due_in() is None
    queue.put("a", deadline=10)
    assert queue.due_in() == 0


def test_a_batch_is_held_for_who_is_on_the_way_but_not_for_long() -> None:
    clock = Clock()
    queue = batcher(clock)
    queue.expect()
    queue.put("a", deadline=10)
    assert queue.due_in() == 1
    clock.now = 0.75
    assert queue.due_in() == 0.25
    clock.now = 1.5
    assert queue.due_in() == 0


@pytest.mark.parametrize("arrives", [True, False])
def test_a_batch_is_due_once_nobody_is_on_the_way_any_more(arrives: bool) -> None:
    queue = batcher()
    queue.expect()
    queue.put("a", deadline=10)
    if arrives:
        queue.put("b", deadline=10, expected=True)
    else:
        queue.no_longer_expect()
    assert queue.due_in() == 0


def test_a_full_batch_waits_for_nobody() -> None:
    queue = batcher(max_cost=2)
    queue.expect()
    queue.put("a", deadline=10, cost=2)
    assert queue.due_in() == 0


def test_results_and_errors_reach_their_own_waiters() -> None:
    queue = batcher()
    good, bad = queue.put("good", deadline=10), queue.put("bad", deadline=10)
    outcomes: list[str | Exception] = ["done", ValueError("no")]
    settle(queue.take(), outcomes)
    assert good.result(0) == "done"
    with pytest.raises(ValueError, match="no"):
        bad.result(0)


def test_a_batch_that_was_taken_can_still_be_called_off() -> None:
    queue = batcher()
    future = queue.put("a", deadline=10)
    other = queue.put("b", deadline=10)
    batch = queue.take()
    assert future.cancel()
    settle(batch, ["done", "done"])
    assert future.cancelled()
    assert other.result(0) == "done"


def test_closing_tells_everybody_who_waits_and_opening_takes_again() -> None:
    queue = batcher()
    waiting, gone = queue.put("a", deadline=10), queue.put("b", deadline=10)
    gone.cancel()
    queue.close(StoppedError("closed"))
    with pytest.raises(StoppedError):
        waiting.result(0)
    with pytest.raises(StoppedError):
        queue.put("c", deadline=10)
    queue.open()
    queue.put("d", deadline=10)
    assert items(queue) == ["d"]


def test_failing_a_batch_leaves_results_that_were_told_alone() -> None:
    queue = batcher()
    first, second = queue.put("a", deadline=10), queue.put("b", deadline=10)
    batch = queue.take()
    settle(batch[:1], ["done"])
    fail(batch, StoppedError("dead"))
    assert first.result(0) == "done"
    with pytest.raises(StoppedError):
        second.result(0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=40), st.integers(1, 6))
def test_every_entry_is_settled_exactly_once(arrivals: list[tuple[int, bool]], max_cost: int) -> None:
    changed = threading.Condition()
    queue: Batcher[int, int] = Batcher(max_queue=1000, max_cost=max_cost, changed=changed)
    done = threading.Event()

    def work() -> None:
        while not (done.is_set() and queue.depth == 0):
            batch = queue.take()
            assert sum(entry.cost for entry in batch) <= max(max_cost, *(cost for cost, _ in arrivals))
            settle(batch, [entry.item * 2 for entry in batch])

    with ThreadPoolExecutor(5) as pool:
        worker = pool.submit(work)
        futures: list[Future[int]] = []
        for number, (cost, leaves) in enumerate(arrivals):
            futures.append(queue.put(number, deadline=1e18, cost=cost))
            if leaves:
                futures[-1].cancel()
        done.set()
        worker.result(30)
    for number, (future, (_, leaves)) in enumerate(zip(futures, arrivals, strict=True)):
        try:
            assert future.result(30) == 2 * number
        except CancelledError:
            assert leaves
