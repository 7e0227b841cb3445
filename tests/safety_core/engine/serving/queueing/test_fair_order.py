"""Who is next: the client that used the least time, its cheapest entry, and now and then its oldest one."""

from safety_core.engine.serving.queueing.client_accounts import OVERTAKING_S, ClientAccounts
from safety_core.engine.serving.queueing.entries import Batch, QueueEntry
from safety_core.engine.serving.queueing.fair_order import MAX_OPEN, gather_batch, pick_next
from tests.helpers.clocks import FakeClock
from tests.helpers.engine.queue_entries import create_entry


def accounts(**served_s: float) -> ClientAccounts:
    """Accounts of clients with the time that each has used."""
    opened = ClientAccounts(FakeClock(), lambda: ())
    for client, seconds in served_s.items():
        opened.open(client)
        opened[client].served_s = seconds
    return opened


def running(name: str, seconds: float, client: str = "a") -> Batch[str, str]:
    return Batch([create_entry(name, seconds=seconds, client=client)], sliced=True)


def picked(waiting: list[QueueEntry[str, str]], batches: list[Batch[str, str]], opened: ClientAccounts) -> str:
    found = pick_next(waiting, batches, opened)
    assert found is not None
    return found.entry.item


def test_without_work_nothing_is_next() -> None:
    assert pick_next([], [], accounts()) is None


def test_the_client_that_used_the_least_time_is_next_and_among_equals_the_one_that_came_first() -> None:
    first, second = create_entry("first", client="a", since=1), create_entry("second", client="b", since=2)
    assert picked([first, second], [], accounts(a=5.0, b=4.0)) == "second"
    assert picked([second, first], [], accounts(a=4.0, b=4.0)) == "first"


def test_new_clients_start_at_the_level_of_the_one_that_is_next() -> None:
    opened = accounts(a=5.0)
    pick_next([create_entry("one", client="a")], [], opened)
    assert opened.get_served_s("new") == 5.0


def test_a_clients_cheapest_entry_is_next_whether_it_waits_or_runs() -> None:
    dear, cheap = create_entry("dear", seconds=9.0, client="a", since=1), create_entry("cheap", client="a", since=2)
    assert picked([dear, cheap], [], accounts(a=0.0)) == "cheap"
    assert picked([cheap], [running("runs", 9.0)], accounts(a=0.0)) == "cheap"
    assert picked([dear], [running("runs", 1.0)], accounts(a=0.0)) == "runs"


def test_an_entry_that_cheaper_ones_overtook_for_long_enough_gets_a_turn() -> None:
    dear, cheap = create_entry("dear", seconds=9.0, client="a", since=1), create_entry("cheap", client="a", since=2)
    opened = accounts(a=0.0)
    found = pick_next([dear, cheap], [], opened)
    assert found is not None
    assert found.overtaken == "a", "so that the worker charges the turn to what was overtaken"
    opened["a"].overtaken_s = OVERTAKING_S
    assert picked([dear, cheap], [], opened) == "dear"
    assert opened["a"].overtaken_s == 0.0
    assert picked([dear, cheap], [], opened) == "cheap"


def test_what_was_overtaken_is_forgotten_once_the_oldest_is_the_cheapest() -> None:
    opened = accounts(a=0.0)
    opened["a"].overtaken_s = OVERTAKING_S / 2
    assert picked([create_entry("only", client="a")], [], opened) == "only"
    assert opened["a"].overtaken_s == 0.0


def test_so_many_batches_run_at_a_time_and_then_only_what_is_cheaper_than_all_of_them_starts() -> None:
    batches = [running(f"{number}", 5.0, client="b") for number in range(MAX_OPEN)]
    opened = accounts(a=0.0, b=9.0)
    assert picked([create_entry("dear", seconds=5.0, client="a")], batches[1:], opened) == "dear"
    assert picked([create_entry("dear", seconds=5.0, client="a")], batches, opened) == "0"
    assert picked([create_entry("cheap", client="a")], batches, opened) == "cheap"


def test_what_is_urgent_is_next_without_an_account() -> None:
    urgent = create_entry("urgent", client="nobody", urgent=True)
    assert picked([create_entry("one", client="a"), urgent], [running("two", 1.0)], accounts(a=0.0)) == "urgent"
    assert picked([create_entry("one", client="a")], [Batch([urgent])], accounts(a=0.0)) == "urgent"


def test_cheap_entries_are_gathered_within_the_bound_those_of_the_least_served_clients_first() -> None:
    head = create_entry("head", client="a", cost=2)
    busy, idle = create_entry("busy", client="b", since=1), create_entry("idle", client="c", since=2)
    opened = accounts(a=0.0, b=9.0, c=1.0)
    gathered = [
        [entry.item for entry in gather_batch(head, [head, busy, idle], opened, max_batch=size).entries]
        for size in (1, 2, 3, 4, 9)
    ]
    assert gathered == [["head"], ["head"], ["head", "idle"], ["head", "idle", "busy"], ["head", "idle", "busy"]]


def test_dear_and_urgent_entries_go_alone_and_only_dear_ones_in_slices() -> None:
    cheap, dear = create_entry("cheap", client="a"), create_entry("dear", seconds=9.0, client="a")
    urgent = create_entry("urgent", seconds=9.0, urgent=True)
    waiting, opened = [cheap, dear, urgent], accounts(a=0.0)
    for head, sliced in ((dear, True), (urgent, False), (cheap, False)):
        batch = gather_batch(head, waiting, opened, max_batch=99)
        assert (batch.entries, batch.sliced) == ([head], sliced)
