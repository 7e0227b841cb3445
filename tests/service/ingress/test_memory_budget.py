"""What requests hold is counted, shared out, and given back."""

import pytest

from safety_core.errors import OverloadedError
from service.ingress.memory_budget import STALLED_AFTER_S, MemoryBudget
from tests.helpers.clocks import FakeClock


def test_what_is_held_is_counted_and_given_back() -> None:
    budget = MemoryBudget(100)
    with budget.holding() as one, budget.holding() as other:
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
    with budget.holding("a") as one:
        one.grow(500)
        with budget.holding("b") as other, pytest.raises(OverloadedError):
            other.grow(1)
    with budget.holding("b") as other:
        other.grow(500)


def test_no_client_holds_all_of_it() -> None:
    budget = MemoryBudget(100)
    with budget.holding("hog") as first, budget.holding("hog") as second, budget.holding("plain") as plain:
        first.grow(50)
        second.grow(25)
        with pytest.raises(OverloadedError):
            second.grow(1)
        plain.grow(25)


def test_a_stalled_upload_makes_room() -> None:
    clock = FakeClock()
    budget = MemoryBudget(100, clock=clock)
    evicted: list[str] = []
    slow, small, plain = budget.holding("hog"), budget.holding("hog"), budget.holding("plain")
    for name, holding, size in (("slow", slow, 70), ("small", small, 5)):
        holding.upload(lambda name=name: evicted.append(name))  # type: ignore[misc]
        holding.arrived(size)
    with pytest.raises(OverloadedError):
        plain.grow(50)
    clock.now += STALLED_AFTER_S
    plain.grow(50)
    assert evicted == ["slow"]
    assert (slow.evicted, small.evicted, budget.used) == (True, False, 55)
    with pytest.raises(OverloadedError):
        slow.arrived(1)
    slow.close()
    assert budget.used == 55


def test_an_upload_that_arrives_or_has_arrived_makes_no_room() -> None:
    clock = FakeClock()
    budget = MemoryBudget(1_000_000, clock=clock)
    fast, done, other = budget.holding("a"), budget.holding("b"), budget.holding("c")
    fast.upload(lambda: pytest.fail("evicted"))
    fast.arrived(100)
    done.upload(lambda: pytest.fail("evicted"))
    done.arrived(500_000)
    done.uploaded()
    clock.now += 100
    fast.arrived(100_000)
    with pytest.raises(OverloadedError):
        other.grow(500_000)


def test_bytes_one_by_one_are_no_progress() -> None:
    clock = FakeClock()
    budget = MemoryBudget(1000, clock=clock)
    drip, other = budget.holding("a"), budget.holding("b")
    evicted: list[int] = []
    drip.upload(lambda: evicted.append(1))
    drip.arrived(600)
    for _ in range(20):
        clock.now += 0.1
        drip.arrived(1)
    other.grow(500)
    assert evicted == [1]


def test_memory_is_given_back_when_all_is_done_or_now_and_then() -> None:
    clock, calls = FakeClock(), list[int]()
    budget = MemoryBudget(10**9, clock=clock, released=lambda: calls.append(1))
    with budget.holding() as small:
        small.grow(1000)
    assert calls == []
    with budget.holding() as large:
        large.grow(10**8)
    assert calls == [1]
    with budget.holding() as stays:
        stays.grow(1)
        for _ in range(3):
            with budget.holding() as large:
                large.grow(10**8)
        assert calls == [1]
        clock.now += 10
        with budget.holding() as large:
            large.grow(10**8)
        assert calls == [1, 1]
