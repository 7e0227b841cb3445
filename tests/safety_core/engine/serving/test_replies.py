"""Replies on the model's thread: who is started, what each reader is told, and that none is told nothing."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from safety_core.engine.messages import ChatRequest
from safety_core.engine.protocols import GenerationRequestLike
from safety_core.engine.serving.replies import ReplyHandle, ReplyRunner, ReplyUpdate
from safety_core.errors import DeadlineError, ExhaustedError, GenerationError, PromptError, StoppedError
from tests.helpers.clocks import FakeClock
from tests.helpers.engine.fakes import FakeGenerator, FakeGuard, FakeSequence, SilentObserver
from tests.helpers.engine.requests import CHAT_REQUEST

REFUSED = ChatRequest(turns=CHAT_REQUEST.turns, max_tokens=1)
"""A request whose sequence cannot be created."""


class PickyGenerator(FakeGenerator):
    """Refuses one request with an error that the test sets."""

    error: Exception = PromptError("no room", code="prompt_too_long")

    def create_sequence(self, request: GenerationRequestLike) -> FakeSequence:
        if request is REFUSED:
            raise self.error
        return super().create_sequence(request)


class Bench(SilentObserver):
    """A runner whose turns the test takes, with all that it told."""

    def __init__(self, *, pieces: Sequence[str] = "abc", max_replies: int = 8, max_prefill: int = 100) -> None:
        self.clock, self.lock = FakeClock(), threading.Condition()
        self.updates: list[ReplyUpdate] = []
        self.noted: list[object] = []
        self.tokens: list[tuple[str, int]] = []
        self.guard = FakeGuard(pieces=pieces, max_replies=max_replies)
        self.generator = PickyGenerator(self.guard)
        self.runner = ReplyRunner(
            self.updates.extend, self, self.noted.extend, self.lock, max_prefill=max_prefill, clock=self.clock
        )
        self.runner.start(self.generator)

    def record_tokens(self, kind: str, count: int) -> None:
        self.tokens.append((kind, count))

    def request(self, client: str = "", *, deadline: float = 1e9, request: Any = CHAT_REQUEST) -> ReplyHandle:
        handle = ReplyHandle(request, deadline, self.clock.now, client)
        with self.lock:
            self.runner.add(handle)
        return handle

    def turn(self) -> None:
        self.runner.drop_cancelled()
        self.runner.admit()
        self.runner.step()

    def text(self, handle: ReplyHandle) -> str:
        return "".join(update.text for update in self.updates if update.handle is handle)

    def ends(self, handle: ReplyHandle) -> list[object]:
        """What a reader was told at the end: its finished sequence, or the type of the failure."""
        own = [update for update in self.updates if update.handle is handle]
        return [update.sequence or type(update.failure) for update in own if update.sequence or update.failure]


def test_a_reply_is_told_piece_by_piece_and_ends_with_its_sequence() -> None:
    bench = Bench()
    handle = bench.request()
    assert (bench.runner.waiting, bench.runner.has_work) == (1, True)
    for text in ("a", "ab", "abc"):
        assert bench.ends(handle) == []
        bench.turn()
        assert bench.text(handle) == text
    assert bench.ends(handle) == [handle.sequence]
    assert (bench.runner.waiting, bench.runner.has_work) == (0, False)
    assert bench.tokens == [("prompt", 7), ("completion", 1), *[("completion", 1)] * 3]


def test_the_client_with_the_fewest_replies_is_started_first_and_its_own_in_order() -> None:
    bench = Bench(max_replies=3)
    handles = [bench.request(client) for client in ("greedy", "greedy", "greedy", "modest")]
    bench.turn()
    assert [bench.text(handle) for handle in handles] == ["a", "a", "", "a"]


def test_so_many_positions_are_read_in_a_turn_but_a_longer_prompt_is_not_starved() -> None:
    bench = Bench(max_prefill=14)
    handles = [bench.request() for _ in range(3)]
    bench.turn()
    assert [bench.text(handle) for handle in handles] == ["a", "a", ""]
    narrow = Bench(max_prefill=1)
    handles = [narrow.request() for _ in range(2)]
    narrow.turn()
    assert [narrow.text(handle) for handle in handles] == ["a", ""]


def test_a_reply_knows_how_long_it_waited() -> None:
    bench = Bench(max_replies=1, pieces="a")
    first, second = bench.request(), bench.request()
    bench.clock.now = 2.0
    bench.turn()
    bench.clock.now = 5.0
    bench.turn()
    assert (first.queue_s, second.queue_s) == (2.0, 5.0)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PromptError("no room", code="prompt_too_long"), PromptError),
        (MemoryError(), ExhaustedError),
        (RuntimeError("CUDA out of memory"), ExhaustedError),
        (RuntimeError("SECRET"), GenerationError),
    ],
)
def test_a_reply_that_cannot_be_started_fails_alone_and_quotes_nothing(
    error: Exception, told: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    bench.generator.error = error
    broken, sound = bench.request(request=REFUSED), bench.request()
    bench.turn()
    assert bench.ends(broken) == [told]
    assert bench.text(sound) == "a"
    assert not any("SECRET" in str(update.failure) for update in bench.updates)
    assert "SECRET" not in caplog.text


def test_a_reader_that_left_or_ran_out_of_time_is_told_once_and_its_place_is_free() -> None:
    bench = Bench(max_replies=2)
    left, late, waits, stays = (bench.request(deadline=deadline) for deadline in (1e9, 5.0, 5.0, 1e9))
    bench.turn()
    left.cancelled = True
    bench.clock.now = 5.0
    bench.turn()
    assert [bench.ends(handle) for handle in (left, late, waits)] == [[DeadlineError]] * 3
    assert bench.text(stays) == "a"
    assert len(bench.generator.sequences) == 1


def test_a_reply_that_left_while_it_waited_does_not_count_as_waiting() -> None:
    bench = Bench()
    handle = bench.request()
    handle.cancelled = True
    assert bench.runner.waiting == 0


def test_a_reply_that_fails_midway_is_told_and_noted_and_the_others_go_on() -> None:
    bench = Bench()
    broken = bench.request()
    bench.turn()
    sequence = broken.sequence
    assert isinstance(sequence, FakeSequence)
    bench.guard.late_failure = GenerationError("it broke")
    sound = bench.request()
    bench.turn()
    assert (bench.text(broken), bench.ends(broken)) == ("a", [GenerationError])
    assert bench.noted[-2:] == [bench.guard.late_failure, None]
    assert bench.text(sound) == "a"


def test_failing_all_tells_those_that_run_and_those_that_wait_and_nothing_is_left() -> None:
    bench = Bench(max_replies=1)
    handles = [bench.request(), bench.request()]
    bench.turn()
    bench.runner.fail_all(StoppedError("the worker died"))
    assert [bench.ends(handle) for handle in handles] == [[StoppedError]] * 2
    assert not bench.runner.has_work
    bench.runner.release_memory()
    bench.runner.start(PickyGenerator(bench.guard))
    again = bench.request()
    bench.turn()
    assert bench.text(again) == "a"


def test_what_was_found_before_a_generator_raises_is_told_all_the_same() -> None:
    bench = Bench()
    broken = bench.request(request=REFUSED)
    bench.request()
    bench.guard.fault_in_step = RuntimeError("the model broke")
    bench.runner.drop_cancelled()
    bench.runner.admit()
    assert bench.ends(broken) == [PromptError]
    with pytest.raises(RuntimeError, match="broke"):
        bench.runner.step()


def test_a_broken_observer_stops_no_reply(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(pieces="a")
    bench.record_tokens = lambda kind, count: 1 / 0  # type: ignore[method-assign, assignment]
    handle = bench.request()
    bench.turn()
    assert bench.ends(handle) == [handle.sequence]
    assert "observer failed" in caplog.text
