"""Entries: their size, and that each is settled once."""

from concurrent.futures import CancelledError

import pytest

from safety_core.engine.serving.queueing.entries import (
    CHEAP_COST,
    CHEAP_S,
    Batch,
    compute_size_class,
    deliver,
    fail_all,
)
from safety_core.errors import StoppedError
from tests.helpers.engine.queue_entries import DEAR_COST, create_entry


@pytest.mark.parametrize(
    ("seconds", "cost", "size"),
    [
        (0.0, DEAR_COST, 0),
        (CHEAP_S, DEAR_COST, 0),
        (60.0, CHEAP_COST, 0),  # on a slow machine, too
        (60.0, CHEAP_COST + 1, 10),
        (1.01 * CHEAP_S, DEAR_COST, 1),
        (1.99 * CHEAP_S, DEAR_COST, 1),
        (2.01 * CHEAP_S, DEAR_COST, 2),
        (4.01 * CHEAP_S, DEAR_COST, 3),
    ],
)
def test_cheap_work_is_one_class_and_each_further_one_is_twice_as_long(seconds: float, cost: int, size: int) -> None:
    assert compute_size_class(seconds, cost) == size
    assert create_entry("a", seconds=seconds, cost=cost).size == size


def test_a_batch_is_as_long_as_its_entries_less_what_was_spent_on_it() -> None:
    batch = Batch([create_entry("a", seconds=3.0), create_entry("b", seconds=1.0)])
    assert batch.remaining_s == 4.0
    batch.spent_s = 3.0
    assert batch.remaining_s == 1.0
    batch.spent_s = 100.0
    assert batch.remaining_s == pytest.approx(0.4), "what exceeded its estimate may not be nearly done"


def test_a_batch_in_slices_is_never_cheap_and_one_without_always_is() -> None:
    long = create_entry("a", seconds=10.0)
    assert Batch([long]).size == 0
    batch = Batch([long], sliced=True)
    assert batch.size == long.size
    batch.spent_s = 9.99
    assert batch.size == compute_size_class(1.0, DEAR_COST)
    assert Batch([create_entry("a", seconds=CHEAP_S)], sliced=True).size == 1


def test_results_and_errors_go_to_their_entries_and_those_that_left_get_none() -> None:
    entries = [create_entry(name) for name in ("result", "error", "left", "settled")]
    entries[2].future.cancel()
    entries[3].future.set_result("first")
    outcomes: list[str | Exception] = ["done", ValueError("no"), "unread", "second"]
    deliver(entries, outcomes)
    assert entries[0].future.result(0) == "done"
    assert isinstance(entries[1].future.exception(0), ValueError)
    with pytest.raises(CancelledError):
        entries[2].future.result(0)
    assert entries[3].future.result(0) == "first"


def test_a_result_for_each_entry_is_needed() -> None:
    with pytest.raises(ValueError, match="zip"):
        deliver([create_entry("a"), create_entry("b")], ["done"])


def test_all_that_are_left_fail_for_the_same_reason() -> None:
    entries = [create_entry("settled"), create_entry("waits")]
    deliver(entries[:1], ["done"])
    fail_all(entries, StoppedError("closed"))
    assert entries[0].future.result(0) == "done"
    assert isinstance(entries[1].future.exception(0), StoppedError)
