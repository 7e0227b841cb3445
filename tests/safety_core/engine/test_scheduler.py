"""Whose turn it is, turn by turn, in the test's own thread."""

from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from safety_core.engine.messages import ChatRequest, GuardRequest, Judged, Prepared
from safety_core.engine.scheduler import Progress, Scheduler, Ticket
from safety_core.errors import DeadlineError, GenerationError, StoppedError
from safety_core.prompts import Turn
from tests.safety_core.engine.fakes import FakeGuard, Silence
from tests.safety_core.engine.test_batcher import Clock

CHAT = ChatRequest(turns=(Turn(role="user", text="hello"),))


class Bench(Silence):
    """A scheduler whose turns the test takes, with all that it said."""

    def __init__(self, guard: FakeGuard | None = None, *, max_cost: int = 4, max_prefill: int = 100) -> None:
        self.guard = guard or FakeGuard()
        self.clock = Clock()
        self.news: list[Progress] = []
        self.batches: list[tuple[str, int]] = []
        self.scheduler = Scheduler(
            self.guard,
            self.deliver,
            self,
            max_queue=100,
            max_cost=max_cost,
            max_wait_s=1.0,
            max_prefill=max_prefill,
            clock=self.clock,
        )
        self.scheduler.begin()

    def deliver(self, news: Sequence[Progress]) -> None:
        self.news += news

    def batch(self, queue: str, size: int) -> None:
        self.batches.append((queue, size))

    def judge(self, deadline: float = 1e9) -> Future[Judged]:
        return self.scheduler.judge(Prepared(request=GuardRequest(turns=CHAT.turns)), deadline=deadline)

    def answer(self, deadline: float = 1e9) -> Ticket:
        return self.scheduler.answer(CHAT, deadline=deadline)

    def turn(self) -> list[tuple[str, int]]:
        """What went through the model in one turn."""
        before = len(self.batches)
        self.scheduler.turn()
        return self.batches[before:]

    def said(self, ticket: Ticket) -> str:
        return "".join(progress.piece for progress in self.news if progress.ticket is ticket)


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
    bench = Bench(FakeGuard(pieces="abc", max_rows=2))
    tickets = [bench.answer() for _ in range(5)]
    sizes: list[int] = []
    while not sizes or sizes[-1]:
        sizes.append(sum(size for _, size in bench.turn()))
        assert bench.scheduler.waiting_replies <= 3
    assert sizes == [2, 2, 2, 2, 2, 2, 1, 1, 1, 0]
    assert [bench.said(ticket) for ticket in tickets] == ["abc"] * 5
    assert [progress.ticket for progress in bench.news if progress.row is not None] == tickets


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
    bench = Bench(FakeGuard(pieces="abc", max_rows=1))
    running, waiting = bench.answer(), bench.answer()
    bench.turn()
    bench.scheduler.depart(running)
    bench.scheduler.depart(waiting)
    assert bench.turn() == []
    assert bench.said(running) == "a"
    assert bench.guard.stopped.is_set()
    assert bench.scheduler.idle


def test_a_reader_out_of_time_is_told_so() -> None:
    bench = Bench(FakeGuard(pieces="abc", max_rows=1))
    tickets = [bench.answer(deadline=5), bench.answer(deadline=5)]
    bench.turn()
    bench.clock.now = 5
    bench.turn()
    failures = {progress.ticket: progress.failure for progress in bench.news if progress.failure is not None}
    assert [type(failures[ticket]) for ticket in tickets] == [DeadlineError, DeadlineError]


def test_the_time_in_the_queue_is_told() -> None:
    bench = Bench(FakeGuard(pieces="ab", max_rows=1))
    first, second = bench.answer(), bench.answer()
    for bench.clock.now in (1.0, 2.0, 3.0):
        bench.turn()
    assert (first.queue_s, second.queue_s) == (1.0, 3.0)


def test_a_job_that_makes_no_row_fails_by_itself() -> None:
    bench = Bench(FakeGuard(pieces="ab"))
    generator = bench.guard.generator()
    bench.scheduler._generator = generator
    broken, sound = bench.answer(), bench.answer()
    row = generator.row

    def first_fails(job: ChatRequest) -> object:
        generator.row = row  # type: ignore[method-assign]
        raise ValueError("SECRET")

    generator.row = first_fails  # type: ignore[assignment, method-assign]
    bench.turn()
    bench.turn()
    assert bench.said(sound) == "ab"
    assert [type(one.failure) for one in bench.news if one.ticket is broken] == [GenerationError]


def test_burying_tells_everybody() -> None:
    bench = Bench(FakeGuard(pieces="abc", max_rows=1))
    running, waiting = bench.answer(), bench.answer()
    bench.turn()
    verdict = bench.judge()
    bench.scheduler.bury(StoppedError("dead"))
    with pytest.raises(StoppedError):
        verdict.result(0)
    assert {one.ticket for one in bench.news if isinstance(one.failure, StoppedError)} == {running, waiting}
    for ask in (bench.judge, bench.answer):
        with pytest.raises(StoppedError):
            ask()
    bench.scheduler.begin()
    bench.judge()
    assert bench.turn() == [("guard", 1)]
