"""Estimates for admission: how long a client's work takes, and when an entry is done."""

import pytest

from safety_core.engine.serving.queueing.backlog import (
    RETRY_S,
    bound_retry_after,
    compute_backlogs,
    create_overloaded_error,
    estimate_done_in,
)
from safety_core.engine.serving.queueing.entries import Batch, QueueEntry
from tests.helpers.engine.queue_entries import create_entry

Entry = QueueEntry[str, str]
Running = Batch[str, str]


@pytest.mark.parametrize(("seconds", "told"), [(-3, 1), (0.2, 1), (1, 1), (7.5, 7.5), (60, 60), (1e9, 60)])
def test_clients_are_told_to_come_back_within_bounds(seconds: float, told: float) -> None:
    assert bound_retry_after(seconds) == told
    assert create_overloaded_error("full", seconds).retry_after_s == told
    assert min(RETRY_S) == 1, "Retry-After is whole seconds: 0 would mean at once"


def test_a_clients_backlog_is_what_waits_and_its_part_of_what_runs() -> None:
    waiting = [create_entry("a", seconds=2.0, client="x"), create_entry("b", seconds=1.0, client="y")]
    running: Running = Batch([create_entry("c", seconds=3.0, client="x"), create_entry("d", seconds=5.0, client="z")])
    running.spent_s = 2.0
    assert compute_backlogs(waiting, [running]) == {"x": 2.0 + 3.0, "y": 1.0, "z": 3.0}
    assert compute_backlogs([], []) == {}


def done_in(entry: Entry, *waiting: Entry, running: tuple[Running, ...] = ()) -> float:
    return estimate_done_in(entry, waiting, running, compute_backlogs(waiting, running))


def test_alone_an_entry_takes_its_own_time() -> None:
    assert done_in(create_entry("a", seconds=2.0)) == 2.0


def test_a_clients_earlier_and_cheaper_entries_come_first_and_its_later_ones_do_not() -> None:
    entry = create_entry("a", seconds=2.0, since=5.0)
    earlier = create_entry("earlier", seconds=2.0, since=4.0)
    cheaper = create_entry("cheaper", seconds=0.1, since=9.0)
    later = create_entry("later", seconds=2.0, since=6.0)
    longer = create_entry("longer", seconds=8.0, since=1.0)
    assert done_in(entry, earlier) == 4.0
    assert done_in(entry, cheaper) == pytest.approx(2.1)
    assert done_in(entry, later) == done_in(entry, longer) == 2.0
    assert done_in(entry, entry) == 2.0, "an entry does not wait for itself"


def test_other_clients_delay_an_entry_by_no_more_than_its_own_time() -> None:
    entry = create_entry("a", seconds=2.0, client="mine")
    for seconds, waited in ((0.5, 0.5), (2.0, 2.0), (50.0, 2.0)):
        assert done_in(entry, create_entry("b", seconds=seconds, client="other")) == 2.0 + waited
    crowd = [create_entry(f"{n}", seconds=50.0, client=f"other {n}") for n in range(3)]
    assert done_in(entry, *crowd) == 8.0


def test_what_already_runs_is_waited_for_and_a_longer_one_of_the_same_client_gets_a_part_of_the_time() -> None:
    entry = create_entry("a", seconds=3.0)
    shorter: Running = Batch([create_entry("b", seconds=1.0)], sliced=True)
    longer: Running = Batch([create_entry("c", seconds=100.0)], sliced=True)
    assert done_in(entry, running=(shorter,)) == 4.0
    assert done_in(entry, running=(longer,)) == 4.0
    other: Running = Batch([create_entry("d", seconds=100.0, client="other")], sliced=True)
    assert done_in(entry, running=(other,)) == 6.0
