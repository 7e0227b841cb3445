import threading
import time
from collections.abc import Iterator

import pytest

from safety_core.evaluation.benchmarks.worker_threads import run_in_threads


def test_one_worker_keeps_the_order_and_the_thread() -> None:
    results = list(run_in_threads(lambda n: (n, threading.get_ident()), range(5), workers=1))
    assert results == [(n, threading.get_ident()) for n in range(5)]


def test_several_workers_work_at_the_same_time_and_read_little_ahead() -> None:
    barrier = threading.Barrier(3, timeout=30)
    read: list[int] = []

    def list_inputs() -> Iterator[int]:
        for number in range(30):
            read.append(number)
            yield number

    def wait(number: int) -> int:
        barrier.wait()
        return number

    results = run_in_threads(wait, list_inputs(), workers=3)
    first = next(results)
    assert first in range(6)
    assert len(read) <= 9
    assert sorted([first, *results]) == list(range(30))


def test_an_exception_ends_everything() -> None:
    done: list[int] = []

    def fail(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        time.sleep(0.01)
        done.append(number)
        return number

    with pytest.raises(ValueError, match="three"):
        list(run_in_threads(fail, range(1000), workers=2))
    assert len(done) < 20
