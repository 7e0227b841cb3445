"""Requests with pictures are rejected at once if the pictures before theirs take too long to be read."""

import pytest

from safety_core.engine.serving.queueing.reading_backlog import ReadingBacklog
from safety_core.errors import OverloadedError


def create_backlog(*, slots: int = 1) -> ReadingBacklog:
    backlog = ReadingBacklog(slots, clock=lambda: 100.0)
    for _ in range(200):
        backlog.record(1.0)
    return backlog


def test_an_idle_reader_takes_any_request() -> None:
    create_backlog().require_room("a", 8, deadline=100.0)


def test_a_request_without_pictures_never_waits_for_pictures() -> None:
    backlog = create_backlog()
    with backlog.add("a", 1000):
        backlog.require_room("a", 0, deadline=100.0)


def test_what_would_come_too_late_is_rejected_with_a_time_to_retry() -> None:
    backlog = create_backlog()
    with backlog.add("a", 10):
        backlog.require_room("a", 1, deadline=112.0)
        with pytest.raises(OverloadedError) as caught:
            backlog.require_room("a", 2, deadline=111.0)
        assert caught.value.retry_after_s == pytest.approx(12.0, rel=0.01)
        create_backlog(slots=4).require_room("a", 2, deadline=111.0)
    backlog.require_room("a", 2, deadline=100.0)


def test_clients_take_turns() -> None:
    backlog = create_backlog()
    with backlog.add("many", 1000):
        backlog.require_room("few", 1, deadline=102.5)
        with pytest.raises(OverloadedError):
            backlog.require_room("many", 1, deadline=102.5)
