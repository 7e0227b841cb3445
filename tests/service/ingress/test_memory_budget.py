"""What requests hold is counted, shared out, and given back."""

import pytest

from safety_core.errors import OverloadedError
from service.ingress.memory_budget import STALLED_AFTER_S, MemoryBudget
from tests.helpers.clocks import FakeClock


def test_what_is_held_is_counted_and_given_back() -> None:
    budget = MemoryBudget(100)
    with budget.reserve() as one, budget.reserve() as other:
        one.grow(60)
        other.grow(40)
        with pytest.raises(OverloadedError):
            other.grow(1)
        one.shrink(10)
        other.grow(10)
        assert budget.used == 100
        one.shrink(1000)
        assert budget.used == 50
    assert budget.used == 0
    other.shrink(5)
    other.close()
    assert budget.used == 0


def test_one_request_alone_may_hold_more() -> None:
    budget = MemoryBudget(100)
    with budget.reserve("a") as one:
        one.grow(500)
        with budget.reserve("b") as other, pytest.raises(OverloadedError):
            other.grow(1)
    with budget.reserve("b") as other:
        other.grow(500)


def test_no_client_holds_all_of_it() -> None:
    budget = MemoryBudget(100)
    with budget.reserve("hog") as first, budget.reserve("hog") as second, budget.reserve("plain") as plain:
        first.grow(50)
        second.grow(25)
        with pytest.raises(OverloadedError):
            second.grow(1)
        plain.grow(25)


def test_a_stalled_upload_makes_room() -> None:
    clock = FakeClock()
    budget = MemoryBudget(100, clock=clock)
    evicted: list[str] = []
    slow, small, plain = budget.reserve("hog"), budget.reserve("hog"), budget.reserve("plain")
    for name, holding, size in (("slow", slow, 70), ("small", small, 5)):
        holding.begin_upload(lambda name=name: evicted.append(name))  # type: ignore[misc]
        holding.add_received(size)
    with pytest.raises(OverloadedError):
        plain.grow(50)
    clock.now += STALLED_AFTER_S
    plain.grow(50)
    assert evicted == ["slow"]
    assert (slow.is_evicted, small.is_evicted, budget.used) == (True, False, 55)
    with pytest.raises(OverloadedError):
        slow.add_received(1)
    slow.close()
    assert budget.used == 55


def test_an_upload_that_arrives_or_has_arrived_makes_no_room() -> None:
    clock = FakeClock()
    budget = MemoryBudget(1_000_000, clock=clock)
    fast, done, other = budget.reserve("a"), budget.reserve("b"), budget.reserve("c")
    fast.begin_upload(lambda: pytest.fail("evicted"))
    fast.add_received(100)
    done.begin_upload(lambda: pytest.fail("evicted"))
    done.add_received(500_000)
    done.end_upload()
    clock.now += 100
    fast.add_received(100_000)
    with pytest.raises(OverloadedError):
        other.grow(500_000)


def test_bytes_one_by_one_are_no_progress() -> None:
    clock = FakeClock()
    budget = MemoryBudget(1000, clock=clock)
    drip, other = budget.reserve("a"), budget.reserve("b")
    evicted: list[int] = []
    drip.begin_upload(lambda: evicted.append(1))
    drip.add_received(600)
    for _ in range(20):
        clock.now += 0.1
        drip.add_received(1)
    other.grow(500)
    assert evicted == [1]


def test_memory_is_given_back_when_all_is_done_or_now_and_then() -> None:
    clock, calls = FakeClock(), list[int]()
    budget = MemoryBudget(10**9, clock=clock, released=lambda: calls.append(1))
    with budget.reserve() as small:
        small.grow(1000)
    assert calls == []
    with budget.reserve() as large:
        large.grow(10**8)
    assert calls == [1]
    with budget.reserve() as stays:
        stays.grow(1)
        for _ in range(3):
            with budget.reserve() as large:
                large.grow(10**8)
        assert calls == [1]
        clock.now += 10
        with budget.reserve() as large:
            large.grow(10**8)
        assert calls == [1, 1]
