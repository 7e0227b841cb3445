"""A worker that dies comes back, later each time; one that was told to stop does not."""

import threading
import time

import pytest

from safety_core.engine.serving.supervisor import Supervisor


def eventually(event: threading.Event) -> None:
    assert event.wait(30), "it never happened"


def test_a_worker_that_dies_is_told_of_and_begins_anew() -> None:
    lives: list[float] = []
    deaths: list[BaseException] = []
    stop, third = threading.Event(), threading.Event()

    def work() -> None:
        lives.append(time.monotonic())
        if len(lives) < 3:
            raise RuntimeError("SECRET")
        third.set()
        eventually(stop)

    supervisor = Supervisor(work, deaths.append, first_pause_s=0.02, longest_pause_s=0.02)
    eventually(third)
    assert supervisor.alive
    assert supervisor.deaths == len(deaths) == 2
    assert lives[1] - lives[0] >= 0.02
    supervisor.stop()
    assert not supervisor.alive
    stop.set()
    assert supervisor.join(30)
    assert len(lives) == 3


def test_pauses_grow_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    enough = threading.Event()
    real = threading.Event.wait

    def noted(event: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread().name == "model-supervisor" and timeout is not None:
            pauses.append(timeout)
            if len(pauses) == 6:
                enough.set()
            return len(pauses) >= 6
        return real(event, timeout)

    def work() -> None:
        raise RuntimeError

    monkeypatch.setattr(threading.Event, "wait", noted)
    supervisor = Supervisor(work, lambda exc: None, first_pause_s=1, longest_pause_s=10)
    assert supervisor.join(30)
    assert pauses == [1, 2, 4, 8, 10, 10]


def test_a_dead_worker_can_be_stopped_at_once(caplog: pytest.LogCaptureFixture) -> None:
    died = threading.Event()

    def work() -> None:
        raise ValueError("SECRET")

    supervisor = Supervisor(work, lambda exc: died.set(), first_pause_s=60)
    eventually(died)
    supervisor.stop()
    assert supervisor.join(30)
    assert "ValueError at test_supervisor.py" in caplog.text
    assert "SECRET" not in caplog.text


def test_work_that_ends_by_itself_is_not_begun_again() -> None:
    lives: list[bool] = []
    supervisor = Supervisor(lambda: lives.append(True), lambda exc: None)
    assert supervisor.join(30)
    assert (len(lives), supervisor.alive, supervisor.deaths) == (1, False, 0)


def test_a_worker_for_which_there_is_no_thread_begins_once_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    began, deaths, refused = threading.Event(), list[BaseException](), [2]
    start = threading.Thread.start

    def scarce(thread: threading.Thread) -> None:
        if thread.name == "model" and refused[0]:
            refused[0] -= 1
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    supervisor = Supervisor(began.set, deaths.append, first_pause_s=0.01)
    eventually(began)
    assert supervisor.join(30)
    assert supervisor.deaths == len(deaths) == 2


def test_who_cannot_bear_to_be_told_of_a_death_does_not_prevent_the_next_life() -> None:
    lives: list[bool] = []
    second = threading.Event()

    def work() -> None:
        lives.append(True)
        if len(lives) == 1:
            raise RuntimeError("SECRET")
        second.set()

    def broken(exc: BaseException) -> None:
        raise MemoryError

    supervisor = Supervisor(work, broken, first_pause_s=0.01)
    eventually(second)
    assert supervisor.join(30)
