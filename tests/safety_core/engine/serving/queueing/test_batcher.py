"""The queue: batches by cost, deadlines, departures, closing; every entry settled once."""

import math
import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_core.engine.serving.queueing.batcher import Batcher
from safety_core.engine.serving.queueing.entries import deliver, fail_all
from safety_core.errors import DeadlineError, OverloadedError, StoppedError
from tests.helpers.clocks import FakeClock


def batcher(clock: FakeClock | None = None, *, max_requests: int = 100, max_batch: int = 4) -> Batcher[str, str]:
    return Batcher(max_requests=max_requests, max_batch=max_batch, max_wait_s=1.0, clock=clock or FakeClock())


def items(queue: Batcher[str, str]) -> list[str]:
    return [entry.item for entry in queue.take_entries()]


def test_batches_keep_the_order_and_the_bound() -> None:
    queue = batcher()
    for name, cost in (("a", 1), ("b", 2), ("c", 2), ("d", 9), ("e", 1)):
        queue.put(name, deadline=10, cost=cost)
    assert [items(queue) for _ in range(5)] == [["a", "b"], ["c"], ["d"], ["e"], []]


def test_the_queue_is_bounded_and_departures_give_their_place_back() -> None:
    queue = batcher(max_requests=2)
    first = queue.put("a", deadline=10)
    queue.put("b", deadline=10)
    with pytest.raises(OverloadedError):
        queue.put("c", deadline=10)
    first.cancel()
    assert queue.depth == 1
    queue.put("c", deadline=10)
    assert items(queue) == ["b", "c"]


def test_whoever_is_out_of_time_is_told_so_and_never_worked_on() -> None:
    clock = FakeClock()
    queue = batcher(clock)
    late = queue.put("late", deadline=5)
    queue.put("in time", deadline=6)
    clock.now = 5
    assert items(queue) == ["in time"]
    with pytest.raises(DeadlineError):
        late.result(0)


def test_nobody_waits_for_company_that_is_not_on_its_way() -> None:
    queue = batcher()
    assert queue.get_due_in() is None
    queue.put("a", deadline=10)
    assert queue.get_due_in() == 0


def test_a_batch_is_held_for_who_is_on_the_way_but_not_for_long() -> None:
    clock = FakeClock()
    queue = batcher(clock)
    queue.expect()
    queue.put("a", deadline=10)
    assert queue.get_due_in() == 1
    clock.now = 0.75
    assert queue.get_due_in() == 0.25
    clock.now = 1.5
    assert queue.get_due_in() == 0


@pytest.mark.parametrize("arrives", [True, False])
def test_a_batch_is_due_once_nobody_is_on_the_way_any_more(arrives: bool) -> None:
    queue = batcher()
    queue.expect()
    queue.put("a", deadline=10)
    if arrives:
        queue.put("b", deadline=10, expected=True)
    else:
        queue.cancel_expected()
    assert queue.get_due_in() == 0


def test_a_full_batch_waits_for_nobody() -> None:
    queue = batcher(max_batch=2)
    queue.expect()
    queue.put("a", deadline=10, cost=2)
    assert queue.get_due_in() == 0


def test_results_and_errors_reach_their_own_waiters() -> None:
    queue = batcher()
    good, bad = queue.put("good", deadline=10), queue.put("bad", deadline=10)
    outcomes: list[str | Exception] = ["done", ValueError("no")]
    deliver(queue.take_entries(), outcomes)
    assert good.result(0) == "done"
    with pytest.raises(ValueError, match="no"):
        bad.result(0)


def test_a_batch_that_was_taken_can_still_be_called_off() -> None:
    queue = batcher()
    future = queue.put("a", deadline=10)
    other = queue.put("b", deadline=10)
    batch = queue.take_entries()
    assert future.cancel()
    deliver(batch, ["done", "done"])
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
    batch = queue.take_entries()
    deliver(batch[:1], ["done"])
    fail_all(batch, StoppedError("dead"))
    assert first.result(0) == "done"
    with pytest.raises(StoppedError):
        second.result(0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=40), st.integers(1, 6))
def test_every_entry_is_settled_exactly_once(arrivals: list[tuple[int, bool]], max_batch: int) -> None:
    changed = threading.Condition()
    queue: Batcher[int, int] = Batcher(max_requests=1000, max_batch=max_batch, changed=changed)
    done = threading.Event()

    def work() -> None:
        while not (done.is_set() and queue.depth == 0):
            batch = queue.take_entries()
            assert sum(entry.cost for entry in batch) <= max(max_batch, *(cost for cost, _ in arrivals))
            deliver(batch, [entry.item * 2 for entry in batch])

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


# --- who is next, who is accepted ------------------------------------------------------------------------------------


class Served:
    """A batcher of seconds of work, worked on slice by slice with a clock of its own."""

    def __init__(self, *, slice_s: float = 0.04, horizon_s: float = 30.0, **bounds: Any) -> None:
        self.clock = FakeClock()
        self.slice_s = slice_s
        self.queue: Batcher[float, str] = Batcher(
            **{"max_requests": 100, "max_batch": 16, "clock": self.clock, "horizon_s": horizon_s, **bounds},
            estimate=lambda seconds: seconds,
        )
        self.done: dict[str, float] = {}

    def put(self, name: str, seconds: float, client: str = "", *, within: float = 30.0, **options: Any) -> Future[str]:
        cost = max(1, int(seconds / 0.03))
        future = self.queue.put(seconds, deadline=self.clock.now + within, cost=cost, client=client, **options)
        future.add_done_callback(lambda _: self.done.setdefault(name, self.clock.now))
        return future

    def slice(self) -> list[float]:
        """One turn of the worker; returns the sizes of what it worked on."""
        batch = self.queue.take_batch()
        if batch is None:
            return []
        whole = sum(entry.item for entry in batch.entries)
        seconds = min(self.slice_s, whole - batch.spent_s) if batch.sliced else whole
        self.clock.now += seconds
        self.queue.charge_batch(batch, seconds)
        if batch.spent_s >= whole - 1e-9:
            self.queue.finish_batch(batch, ["done"] * len(batch.entries))
        return [entry.item for entry in batch.entries]

    def work(self) -> None:
        while self.slice():
            pass


def test_a_cheap_entry_waits_for_one_slice_of_a_dear_one_whoever_sent_it() -> None:
    for client in ("", "other"):
        served = Served()
        for number in range(8):
            served.put(f"dear {number}", 3.0)
        for _ in range(5):
            served.slice()
        began = served.clock.now
        served.put("cheap", 0.04, client)
        while "cheap" not in served.done:
            served.slice()
        assert served.done["cheap"] - began < 0.04 + 2 * served.slice_s


def test_a_cheap_entry_does_not_wait_for_a_dear_one_that_takes_longer_than_estimated() -> None:
    served = Served()
    served.put("dear", 1.0)
    served.slice()
    (batch,) = served.queue._open
    batch.spent_s = 0.99  # almost nothing is left of the estimate
    served.put("cheap", 0.04)
    assert served.slice() == [0.04]


def test_a_dear_entry_is_delayed_but_not_starved_by_cheap_ones_that_keep_coming() -> None:
    served = Served()
    served.put("dear", 1.0)
    while "dear" not in served.done:
        served.put("cheap", 0.05)
        served.slice()
    assert 1.0 < served.done["dear"] < 6.0


def test_dear_entries_are_finished_one_after_another() -> None:
    served = Served()
    for number in range(4):
        served.put(f"{number}", 1.0)
    served.work()
    assert [round(served.done[f"{number}"]) for number in range(4)] == [1, 2, 3, 4]


def test_clients_share_the_time_whatever_each_of_them_asks_for() -> None:
    served = Served()
    for number in range(20):
        served.put(f"many {number}", 0.5, "many")
    served.put("few", 2.0, "few")
    served.work()
    assert 3.5 < served.done["few"] < 4.6


def test_a_client_that_was_away_has_saved_up_nothing() -> None:
    served = Served(horizon_s=1e9)
    served.put("early", 0.5, "away")
    served.work()
    for number in range(20):
        served.put(f"steady {number}", 1.0, "steady", within=1e9)
    for _ in range(200):
        served.slice()
    began = served.clock.now
    served.put("back", 4.0, "away")
    served.work()
    assert served.done["back"] - began > 7, "both get half of the time"


def test_cheap_entries_of_all_clients_go_together() -> None:
    served = Served()
    for number in range(6):
        served.put(f"{number}", 0.03, f"client {number % 3}")
    assert served.slice() == [0.03] * 6


def test_so_many_dear_batches_are_under_way_at_a_time_and_a_cheaper_one_still_gets_in() -> None:
    served = Served(horizon_s=1e9)
    for number in range(9):
        served.put(f"{number}", 3.0, f"client {number}", within=1e9)
    for _ in range(40):
        served.slice()
    assert len(served.queue._open) == 4
    served.put("cheap", 0.03, "client 8")
    served.slice()
    served.slice()
    assert "cheap" in served.done


def test_what_would_come_too_late_is_refused_at_once_and_told_when_to_come_back() -> None:
    served = Served()
    for number in range(8):
        served.put(f"{number}", 3.0)
    with pytest.raises(OverloadedError) as caught:
        served.put("late", 3.0)
    assert 2.9 < caught.value.retry_after_s < 3.1
    with pytest.raises(OverloadedError):
        served.put("hurried", 3.0, within=2.0)
    served.put("cheap", 0.03)
    served.put("another's", 3.0, "other")
    served.work()
    assert "late" not in served.done
    assert served.done["another's"] < 8


def test_what_comes_alone_is_always_accepted() -> None:
    served = Served()
    served.put("alone", 500.0)
    assert served.slice() == [500.0]


def test_one_client_holds_its_share_only_while_others_are_there() -> None:
    served = Served(max_requests=8)
    served.put("other", 0.03, "other")
    for number in range(4):
        served.put(f"{number}", 0.03, "greedy")
    with pytest.raises(OverloadedError):
        served.put("one too many", 0.03, "greedy")
    served.put("another", 0.03, "third")
    served.work()
    served.clock.now += 100
    for number in range(8):
        served.put(f"alone {number}", 0.03, "greedy")
    dear = Served()
    dear.put("other", 0.03, "other")
    for number in range(5):
        dear.put(f"{number}", 3.0, "greedy")
    with pytest.raises(OverloadedError):
        dear.put("beyond half of the horizon", 3.0, "greedy")


def test_whoever_a_better_estimate_leaves_without_hope_is_told_before_the_deadline() -> None:
    speed = [0.001]
    served = Served(horizon_s=30.0)
    served.queue._estimate = lambda seconds: seconds * speed[0]
    futures = [served.put(f"{number}", 3.0) for number in range(20)]
    served.slice()
    speed[0] = 1.0
    served.clock.now += 1
    served.slice()
    refused = [future for future in futures if future.done() and isinstance(future.exception(0), OverloadedError)]
    assert 10 <= len(refused) <= 12
    assert refused == futures[-len(refused) :], "the newest ones"


def test_the_urgent_one_goes_first_through_a_full_queue() -> None:
    served = Served(max_requests=2)
    for number in range(2):
        served.put(f"{number}", 1.0)
    served.slice()
    served.put("full", 1.0)
    served.put("urgent", 0.03, urgent=True)
    assert served.slice() == [0.03]
    assert "urgent" in served.done


def test_a_waiter_that_leaves_calls_off_a_batch_that_is_under_way() -> None:
    served = Served()
    gone = served.put("gone", 3.0)
    served.slice()
    gone.cancel()
    assert served.slice() == []
    assert served.queue.backlog_s == 0


def test_a_deadline_can_be_extended_for_somebody_else_who_waits() -> None:
    served = Served()
    future = served.put("shared", 0.03, within=1.0)
    served.queue.extend(future, 10.0)
    served.clock.now = 5.0
    served.slice()
    assert future.result(0) == "done"


def test_clients_that_want_nothing_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safety_core.engine.serving.queueing.client_accounts.MAX_ACCOUNTS", 10)
    served = Served()
    for number in range(200):
        served.put(f"{number}", 0.03, f"client {number}")
        if number % 5 == 0:
            served.work()
    served.work()
    assert len(served.done) == 200
    assert len(served.queue._accounts) <= 12


def test_time_spent_for_a_client_elsewhere_counts_as_its_share() -> None:
    batcher: Batcher[str, str] = Batcher(max_requests=8, max_batch=1)
    batcher.charge_client("busy", 1.0)
    assert batcher.get_served_s("busy") > batcher.get_served_s("idle")
    for item, client in (("busy's", "busy"), ("idle's", "idle")):
        batcher.put(item, deadline=math.inf, cost=1, client=client)
    assert [entry.item for entry in batcher.take_entries()] == ["idle's"]
