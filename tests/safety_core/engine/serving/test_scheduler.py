"""Whose turn it is, turn by turn, in the test's own thread."""

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.engine.protocols import StepOutput
from safety_core.engine.serving.cores import CoreShare
from safety_core.engine.serving.replies import ReplyHandle, ReplyUpdate
from safety_core.engine.serving.scheduler import Scheduler
from safety_core.engine.work import JudgedRequest, PreparedRequest, Work
from safety_core.errors import DeadlineError, ExhaustedError, GenerationError, StoppedError
from safety_core.inputs.conversation import Turn
from tests.helpers.clocks import FakeClock
from tests.helpers.engine.fakes import FakeGuard, FakeSequence, SilentObserver

CHAT = ChatRequest(turns=(Turn(role="user", text="hello"),))
BROKEN = ChatRequest(turns=(Turn(role="user", text="broken"),))


class Bench(SilentObserver):
    """A scheduler whose turns the test takes, with all that it said."""

    def __init__(self, guard: FakeGuard | None = None, *, max_batch: int = 4, max_prefill: int = 100) -> None:
        self.guard = guard or FakeGuard()
        self.clock = FakeClock()
        self.news: list[ReplyUpdate] = []
        self.batches: list[tuple[str, int]] = []
        self.scheduler = Scheduler(
            self.guard,
            self.deliver,
            self,
            max_requests=100,
            max_batch=max_batch,
            max_wait_s=1.0,
            max_prefill=max_prefill,
            clock=self.clock,
        )
        self.scheduler.start()

    def deliver(self, news: Sequence[ReplyUpdate]) -> None:
        self.news += news

    def record_batch(self, queue: str, size: int) -> None:
        self.batches.append((queue, size))

    def judge(self, deadline: float = 1e9) -> Future[JudgedRequest]:
        return self.scheduler.request_verdict(
            PreparedRequest(request=GuardRequest(turns=CHAT.turns)), deadline=deadline
        )

    def answer(self, deadline: float = 1e9) -> ReplyHandle:
        return self.scheduler.request_reply(CHAT, deadline=deadline)

    def turn(self) -> list[tuple[str, int]]:
        """What went through the model in one turn."""
        before = len(self.batches)
        self.scheduler.run_turn()
        return self.batches[before:]

    def said(self, ticket: ReplyHandle) -> str:
        return "".join(progress.text for progress in self.news if progress.handle is ticket)


def test_the_model_uses_the_cores_that_are_free_at_each_turn() -> None:
    cores, guard = CoreShare(3), FakeGuard()
    scheduler: Scheduler

    def deliver(news: Sequence[ReplyUpdate]) -> None:
        scheduler.close()

    scheduler = Scheduler(
        guard, deliver, SilentObserver(), max_requests=9, max_batch=4, max_wait_s=0.0, max_prefill=9, cores=cores
    )
    scheduler.request_reply(CHAT, deadline=1e9)
    with cores.occupy():
        scheduler.run()
    assert set(guard.cores) == {2}


def test_long_replies_and_many_verdicts_take_turns() -> None:
    bench = Bench(FakeGuard(pieces=["a"] * 50))
    bench.answer()
    for _ in range(12):
        bench.judge()
    assert [bench.turn() for _ in range(4)] == [[("guard", 4), ("generate", 1)]] * 3 + [[("generate", 1)]]
    bench.judge()
    bench.answer()
    assert bench.turn() == [("guard", 1), ("generate", 2)], "who comes joins what runs"


def test_a_verdict_that_is_held_back_for_company_holds_no_reply_back() -> None:
    bench = Bench()
    bench.answer()
    bench.scheduler.verdicts.expect()
    verdict = bench.judge()
    assert bench.turn() == [("generate", 1)]
    assert not verdict.done()
    bench.clock.now = 1.5
    assert bench.turn() == [("guard", 1), ("generate", 1)]


def test_replies_join_in_order_as_places_become_free() -> None:
    bench = Bench(FakeGuard(pieces="abc", max_replies=2))
    tickets = [bench.answer() for _ in range(5)]
    sizes: list[int] = []
    while not sizes or sizes[-1]:
        sizes.append(sum(size for _, size in bench.turn()))
        assert bench.scheduler.waiting_replies <= 3
    assert sizes == [2, 2, 2, 2, 2, 2, 1, 1, 1, 0]
    assert [bench.said(ticket) for ticket in tickets] == ["abc"] * 5
    assert [progress.handle for progress in bench.news if progress.sequence is not None] == tickets


def test_so_many_positions_are_read_in_one_turn_and_a_longer_prompt_alone() -> None:
    bench = Bench(FakeGuard(pieces="abcdef"), max_prefill=14)
    for _ in range(3):
        bench.answer()
    assert [bench.turn() for _ in range(2)] == [[("generate", 2)], [("generate", 3)]]
    narrow = Bench(max_prefill=1)
    narrow.answer()
    narrow.answer()
    assert [narrow.turn() for _ in range(2)] == [[("generate", 1)], [("generate", 2)]]


def test_who_departs_leaves_before_the_next_token() -> None:
    bench = Bench(FakeGuard(pieces="abc", max_replies=1))
    running, waiting = bench.answer(), bench.answer()
    bench.turn()
    bench.scheduler.cancel(running)
    bench.scheduler.cancel(waiting)
    assert bench.turn() == []
    assert bench.said(running) == "a"
    assert bench.guard.stopped.is_set()
    assert bench.scheduler.idle


def test_a_reader_out_of_time_is_told_so() -> None:
    bench = Bench(FakeGuard(pieces="abc", max_replies=1))
    tickets = [bench.answer(deadline=5), bench.answer(deadline=5)]
    bench.turn()
    bench.clock.now = 5
    bench.turn()
    failures = {progress.handle: progress.failure for progress in bench.news if progress.failure is not None}
    assert [type(failures[ticket]) for ticket in tickets] == [DeadlineError, DeadlineError]


def test_the_time_in_the_queue_is_told() -> None:
    bench = Bench(FakeGuard(pieces="ab", max_replies=1))
    first, second = bench.answer(), bench.answer()
    for bench.clock.now in (1.0, 2.0, 3.0):
        bench.turn()
    assert (first.queue_s, second.queue_s) == (1.0, 3.0)


def test_a_job_that_makes_no_row_fails_by_itself() -> None:
    bench = Bench(FakeGuard(pieces="ab"))
    generator = bench.guard.create_generator()
    bench.scheduler._replies._generator = generator
    broken, sound = bench.answer(), bench.answer()
    row = generator.create_sequence

    def first_fails(job: ChatRequest) -> object:
        generator.create_sequence = row  # type: ignore[method-assign]
        raise ValueError("SECRET")

    generator.create_sequence = first_fails  # type: ignore[assignment, method-assign]
    bench.turn()
    bench.turn()
    assert bench.said(sound) == "ab"
    assert [type(one.failure) for one in bench.news if one.handle is broken] == [GenerationError]


def test_burying_tells_everybody() -> None:
    bench = Bench(FakeGuard(pieces="abc", max_replies=1))
    running, waiting = bench.answer(), bench.answer()
    bench.turn()
    verdict = bench.judge()
    bench.scheduler.fail_all(StoppedError("dead"))
    with pytest.raises(StoppedError):
        verdict.result(0)
    assert {one.handle for one in bench.news if isinstance(one.failure, StoppedError)} == {running, waiting}
    for ask in (bench.judge, bench.answer):
        with pytest.raises(StoppedError):
            ask()
    bench.scheduler.start()
    bench.judge()
    assert bench.turn() == [("guard", 1)]


def test_news_of_replies_are_delivered_whatever_raises_behind_them() -> None:
    bench = Bench(FakeGuard(pieces="ab", max_replies=8))
    ending = bench.answer()
    bench.turn()
    generator: Any = bench.scheduler._replies._generator
    late, broken = bench.answer(deadline=5), bench.answer()
    row, admit = generator.create_sequence, generator.admit
    generator.create_sequence = lambda job: row(job) if job is not BROKEN else 1 / 0
    broken.request = BROKEN
    bench.clock.now = 5

    def dies(rows: object) -> None:
        raise RuntimeError("SECRET")

    generator.admit = dies
    joining = bench.answer()
    with pytest.raises(RuntimeError):
        bench.turn()
    assert [type(one.failure) for one in bench.news if one.handle is late] == [DeadlineError]
    assert [type(one.failure) for one in bench.news if one.handle is broken] == [GenerationError]
    generator.admit = admit
    bench.scheduler.fail_all(StoppedError("dead"))
    lost = {one.handle for one in bench.news if isinstance(one.failure, StoppedError)}
    assert lost == {ending, joining}


def test_a_step_that_tells_of_a_row_that_nobody_knows_still_tells_of_the_others() -> None:
    bench = Bench(FakeGuard(pieces="a", max_replies=8))
    ticket = bench.answer()
    generator: Any = bench.scheduler._replies._generator
    step = generator.step
    generator.step = lambda: [
        StepOutput(FakeSequence("x", token_ids=[0]), "x"),
        *step(),
        StepOutput(FakeSequence("y"), "y"),
    ]
    bench.turn()
    assert bench.said(ticket) == "a"
    assert [one.sequence is not None for one in bench.news] == [True]


def test_an_observer_that_raises_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(FakeGuard(pieces="ab"))

    def raises(*args: object) -> None:
        raise ValueError("SECRET")

    bench.record_batch = raises  # type: ignore[assignment, method-assign]
    bench.record_tokens = raises  # type: ignore[assignment, method-assign]
    ticket, verdict = bench.answer(), bench.judge()
    for _ in range(3):
        bench.scheduler.run_turn()
    assert bench.said(ticket) == "ab"
    assert verdict.done()
    assert "SECRET" not in caplog.text


def test_a_dear_verdict_is_reached_in_slices_between_which_replies_and_cheap_verdicts_get_their_turns() -> None:
    guard = FakeGuard(pieces=["a"] * 50)
    bench = Bench(guard, max_batch=16)

    def slices(batch: Sequence[PreparedRequest]) -> Generator[Work, None, list[JudgedRequest | Exception]]:
        for _ in range(10):
            bench.clock.now += 0.05
            yield Work(views=4)
        return guard.judge(batch)

    guard.judge_in_slices = slices  # type: ignore[method-assign]
    reply = bench.answer()
    dear = bench.scheduler.request_verdict(
        PreparedRequest(request=GuardRequest(turns=CHAT.turns), cost=40), deadline=1e9
    )
    bench.turn()
    bench.turn()
    assert bench.said(reply) == "aa"
    cheap = bench.judge()
    bench.turn()
    assert cheap.done()
    assert not dear.done()
    while not dear.done():
        bench.turn()
    assert len(bench.said(reply)) >= 11
    assert dear.result(0).verdict.verdict is not None


def test_a_death_in_the_middle_of_a_dear_verdict_reaches_its_waiter() -> None:
    guard = FakeGuard()
    bench = Bench(guard, max_batch=16)

    def slices(batch: Sequence[PreparedRequest]) -> Generator[Work, None, list[JudgedRequest | Exception]]:
        bench.clock.now += 0.05
        yield Work(views=4)
        raise RuntimeError("SECRET")

    guard.judge_in_slices = slices  # type: ignore[method-assign]
    dear = bench.scheduler.request_verdict(
        PreparedRequest(request=GuardRequest(turns=CHAT.turns), cost=40), deadline=1e9
    )
    bench.turn()
    with pytest.raises(RuntimeError):
        bench.turn()
    bench.scheduler.fail_all(StoppedError("dead"))
    with pytest.raises(StoppedError):
        dear.result(0)


def test_of_those_who_wait_for_a_place_the_client_with_fewest_replies_is_next() -> None:
    bench = Bench(FakeGuard(pieces="abcdef", max_replies=3))
    many = [bench.scheduler.request_reply(CHAT, deadline=1e9, client="many") for _ in range(6)]
    few = bench.scheduler.request_reply(CHAT, deadline=1e9, client="few")
    bench.turn()
    assert bench.said(few) == "a"
    assert [bench.said(ticket) for ticket in many] == ["a", "a", "", "", "", ""]


def test_memory_that_ran_out_is_known_until_something_succeeds() -> None:
    guard = FakeGuard()
    bench = Bench(guard)
    judge = guard.judge
    guard.judge = lambda batch: [ExhaustedError("none")] * len(batch)  # type: ignore[method-assign]
    bench.judge()
    bench.turn()
    assert bench.scheduler.exhausted
    guard.judge = judge  # type: ignore[method-assign]
    bench.judge()
    bench.turn()
    assert not bench.scheduler.exhausted


def test_work_that_pauses_before_anything_is_done_is_recorded_with_its_whole_duration() -> None:
    class Halves(FakeGuard):
        def judge_in_slices(
            self, batch: Sequence[PreparedRequest]
        ) -> Generator[Work, None, list[JudgedRequest | Exception]]:
            for _ in range(20):
                bench.clock.now += 0.025
                yield Work()
                bench.clock.now += 0.003
                yield Work(views=1)
            return self.judge(batch)

    bench = Bench(Halves())
    request = PreparedRequest(request=GuardRequest(turns=CHAT.turns), cost=20, work=Work(views=20))
    waiting = bench.scheduler.request_verdict(request, deadline=1e9)
    while not waiting.done():
        bench.turn()
    assert bench.scheduler._rates.estimate_seconds(Work(views=1)) == pytest.approx(0.028, rel=0.2)
