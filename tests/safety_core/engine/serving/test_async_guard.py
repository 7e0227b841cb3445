"""The seam between an event loop and the guard's thread: order, deadlines, cancellation, release."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from safety_core.engine.guard_info import GuardInfo
from safety_core.engine.messages import ChatRequest, Delta, Event, GuardRequest, GuardVerdict, Reply, UnguardedReply
from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.engine.work import PreparedRequest, Work
from safety_core.errors import (
    DeadlineError,
    ExhaustedError,
    GenerationError,
    JudgeOnlyError,
    OverloadedError,
    PromptError,
    StoppedError,
)
from safety_core.inputs.conversation import Turn
from safety_core.lettering.bounded_reader import PictureReading, ViewReading
from safety_core.lettering.reading import Outcome
from safety_core.policy.policy import Decision
from tests.helpers.engine.fakes import FakeGuard, SilentObserver
from tests.helpers.engine.requests import CHAT_REQUEST, GUARD_REQUEST, create_guard_request
from tests.helpers.engine.scenarios import run_scenario
from tests.helpers.images.pictures import create_picture


@dataclass
class Counts(SilentObserver):
    """What the engine said that it did."""

    batches: list[tuple[str, int]] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    readings: list[tuple[str, float]] = field(default_factory=list)

    def record_batch(self, queue: str, size: int) -> None:
        self.batches.append((queue, size))

    def record_tokens(self, kind: str, count: int) -> None:
        self.made[kind] += count

    def record_cache(self, outcome: str) -> None:
        self.verdicts[outcome] += 1

    def record_reading(self, outcome: str, seconds: float) -> None:
        self.readings.append((outcome, seconds))


def asking(text: str) -> GuardRequest:
    return GuardRequest(turns=(Turn(role="user", text=text),))


def chatting(text: str, **options: Any) -> ChatRequest:
    return ChatRequest(turns=(Turn(role="user", text=text),), **options)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(240):  # for what never happens, not for what happens late
        while not condition():
            await asyncio.sleep(0.001)


async def collected(guard: AsyncGuard, request: ChatRequest = CHAT_REQUEST) -> list[Event]:
    return [event async for event in guard.stream(request)]


def test_a_chat_is_verdict_then_pieces_then_reply() -> None:
    counts = Counts()

    async def scenario(guard: AsyncGuard) -> None:
        first, *pieces, reply = await collected(guard)
        assert isinstance(first, GuardVerdict)
        assert isinstance(reply, Reply)
        assert "".join(piece.text for piece in pieces if isinstance(piece, Delta)) == reply.content
        assert first.queue_ms > 0
        assert reply.verdict == first

    run_scenario(FakeGuard(), scenario, observer=counts)
    assert counts.batches == [("guard", 1), ("generate", 1), ("generate", 1), ("generate", 1)]
    assert counts.made == {"prompt": 7, "completion": 4}


def test_a_refusal_streams_its_text() -> None:
    async def scenario(guard: AsyncGuard) -> None:
        _, delta, reply = await collected(guard)
        assert isinstance(delta, Delta)
        assert isinstance(reply, Reply)
        assert delta.refusal
        assert (reply.content, reply.refusal) == (None, delta.text)

    run_scenario(FakeGuard(decision=Decision.REFUSED), scenario)


def test_assess_returns_the_verdict() -> None:
    async def scenario(guard: AsyncGuard) -> None:
        verdict = await guard.assess(GUARD_REQUEST)
        assert verdict.verdict.decision is Decision.CAUTIONED
        assert verdict.queue_ms > 0
        assert await guard.check_canary() is None
        assert guard.info.checkpoint == "fake"

    run_scenario(FakeGuard(decision=Decision.CAUTIONED), scenario)


@pytest.mark.parametrize("failure", [PromptError("too long", code="prompt_too_long"), GenerationError("broken")])
def test_failures_reach_the_caller(failure: Exception) -> None:
    async def scenario(guard: AsyncGuard) -> None:
        for call in (collected(guard), guard.assess(GUARD_REQUEST), guard.check_canary()):
            with pytest.raises(type(failure)):
                await call

    run_scenario(FakeGuard(failure=failure), scenario)


def test_a_late_failure_follows_the_pieces_that_were_said() -> None:
    async def scenario(guard: AsyncGuard) -> None:
        events = guard.stream(CHAT_REQUEST)
        assert isinstance(await anext(events), GuardVerdict)
        assert isinstance(await anext(events), Delta)
        with pytest.raises(GenerationError):
            await anext(events)

    run_scenario(FakeGuard(late_failure=GenerationError("broken")), scenario)


def test_the_queue_is_bounded() -> None:
    fake = FakeGuard()
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        running = asyncio.create_task(guard.assess(GUARD_REQUEST))
        await until(lambda: fake.requests)
        waiting = asyncio.create_task(guard.assess(asking("waits")))
        await until(lambda: guard.depth == 1)
        assert not guard.idle
        with pytest.raises(OverloadedError):
            await guard.assess(asking("too much"))
        with pytest.raises(OverloadedError):
            await collected(guard)
        fake.gate.set()
        await asyncio.gather(running, waiting)
        assert guard.depth == 0

    run_scenario(fake, scenario, max_requests=1)


def test_a_deadline_does_not_wait_for_the_job() -> None:
    fake = FakeGuard()
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        with pytest.raises(DeadlineError):
            await guard.assess(GUARD_REQUEST)
        assert not fake.gate.is_set()
        with pytest.raises(DeadlineError):
            await collected(guard)
        await until(lambda: not guard.alive)  # a turn that outlives a verdict's deadline is a stuck worker

    run_scenario(fake, scenario, verdict_timeout_s=0.02)


def test_a_reply_that_takes_too_long_is_stopped() -> None:
    fake = FakeGuard()
    fake.between.clear()

    async def scenario(guard: AsyncGuard) -> None:
        with pytest.raises(DeadlineError):
            await collected(guard)
        assert await asyncio.to_thread(fake.stopped.wait, 20)
        assert guard.waiting_replies == 0
        await until(lambda: guard.idle)

    run_scenario(fake, scenario, reply_timeout_s=0.02)


def test_leaving_stops_the_generation() -> None:
    fake = FakeGuard(pieces=["a"] * 100_000)

    async def scenario(guard: AsyncGuard) -> None:
        events = guard.stream(CHAT_REQUEST)
        assert isinstance(await anext(events), GuardVerdict)
        assert isinstance(await anext(events), Delta)
        await events.aclose()
        assert await asyncio.to_thread(fake.stopped.wait, 20)
        await until(lambda: guard.idle)

    run_scenario(fake, scenario)


def test_leaving_while_waiting_gives_the_place_back() -> None:
    fake = FakeGuard()
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        running = asyncio.create_task(guard.assess(GUARD_REQUEST))
        await until(lambda: fake.requests)
        waiting = [asyncio.create_task(collected(guard)), asyncio.create_task(guard.assess(asking("other")))]
        await until(lambda: guard.depth == 2)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await until(lambda: guard.depth == 0)
        fake.gate.set()
        await running
        assert len(fake.requests) == 1

    run_scenario(fake, scenario)


def test_a_reply_that_waits_for_a_place_can_leave() -> None:
    fake = FakeGuard(max_replies=1)
    fake.between.clear()

    async def scenario(guard: AsyncGuard) -> None:
        running = asyncio.create_task(collected(guard))
        await until(lambda: fake.requests)
        waiting = asyncio.create_task(collected(guard, chatting("waits")))
        await until(lambda: guard.waiting_replies == 1)
        waiting.cancel()
        await until(lambda: guard.waiting_replies == 0)
        fake.between.set()
        assert len(await running) == 5

    run_scenario(fake, scenario)


def test_closing_ends_every_wait() -> None:
    fake = FakeGuard()
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        running = asyncio.create_task(guard.assess(GUARD_REQUEST))
        await until(lambda: fake.requests)
        waiting = asyncio.create_task(collected(guard))
        await until(lambda: guard.depth == 1)
        assert not await guard.close(timeout_s=0.01)
        fake.gate.set()
        for task in (running, waiting):
            with pytest.raises(StoppedError):
                await task
        with pytest.raises(StoppedError):
            await guard.assess(GUARD_REQUEST)
        assert not guard.alive

    run_scenario(fake, scenario)


# --- without the guard -----------------------------------------------------------------------------------------------


async def collected_unguarded(guard: AsyncGuard, request: ChatRequest = CHAT_REQUEST) -> list[Delta | UnguardedReply]:
    return [event async for event in guard.stream_unguarded(request)]


def test_an_unguarded_chat_is_pieces_then_a_reply_and_is_not_judged() -> None:
    fake, counts = FakeGuard(decision=Decision.REFUSED, bare_pieces=("No", " guard.")), Counts()

    async def scenario(guard: AsyncGuard) -> None:
        *pieces, reply = await collected_unguarded(guard)
        assert isinstance(reply, UnguardedReply)
        assert [piece.text for piece in pieces if isinstance(piece, Delta)] == ["No", " guard."]
        assert (reply.content, reply.finish_reason, reply.completion_tokens) == ("No guard.", "stop", 2)
        assert reply.queue_ms >= 0
        assert isinstance((await collected(guard))[-1], Reply), "chats are still judged"

    run_scenario(fake, scenario, observer=counts)
    assert len(fake.requests) == 1
    assert counts.batches == [("generate", 1), ("generate", 1), ("guard", 1)]


def test_without_the_bare_model_there_is_no_unguarded_reply() -> None:
    async def scenario(guard: AsyncGuard) -> None:
        with pytest.raises(JudgeOnlyError):
            await collected_unguarded(guard)

    run_scenario(FakeGuard(), scenario)


@pytest.mark.parametrize("failure", [PromptError("too long", code="prompt_too_long"), GenerationError("broken")])
def test_failures_of_unguarded_chats_reach_the_caller(failure: Exception) -> None:
    async def scenario(guard: AsyncGuard) -> None:
        with pytest.raises(type(failure)):
            await collected_unguarded(guard)

    run_scenario(FakeGuard(bare_pieces=("a",), failure=failure), scenario)
    run_scenario(FakeGuard(bare_pieces=("a", "b"), late_failure=failure), scenario)


def test_leaving_stops_an_unguarded_reply_and_gives_its_share_back() -> None:
    fake = FakeGuard(bare_pieces=["a"] * 100_000)

    async def scenario(guard: AsyncGuard) -> None:
        events = guard.stream_unguarded(chatting("hello", max_tokens=100))
        assert isinstance(await anext(events), Delta)
        with pytest.raises(OverloadedError):
            await collected_unguarded(guard, chatting("too much", max_tokens=100))
        await events.aclose()
        assert await asyncio.to_thread(fake.stopped.wait, 20)
        await until(lambda: guard.idle)
        fake.bare_pieces = ("a",)
        assert await collected_unguarded(guard, chatting("again", max_tokens=100))

    run_scenario(fake, scenario, max_tokens_in_flight=150)


def test_an_unguarded_reply_that_takes_too_long_is_stopped() -> None:
    fake = FakeGuard(bare_pieces=("a",))
    fake.between.clear()

    async def scenario(guard: AsyncGuard) -> None:
        with pytest.raises(DeadlineError):
            await collected_unguarded(guard)
        assert await asyncio.to_thread(fake.stopped.wait, 20)
        await until(lambda: guard.idle)

    run_scenario(fake, scenario, reply_timeout_s=0.02)


# --- together ---------------------------------------------------------------------------------------------------------


def test_requests_that_arrive_together_are_judged_together() -> None:
    fake = FakeGuard()
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        first = asyncio.create_task(guard.assess(asking("first")))
        await until(lambda: fake.requests)
        others = [asyncio.create_task(guard.assess(asking(str(number)))) for number in range(6)]
        await until(lambda: guard.depth == 6)
        fake.gate.set()
        await asyncio.gather(first, *others)

    run_scenario(fake, scenario, max_batch=4)
    assert fake.batches == [1, 4, 2]


def test_equal_requests_share_one_verdict_while_it_is_reached_and_afterwards() -> None:
    fake, counts = FakeGuard(), Counts()
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        together = [asyncio.create_task(guard.assess(GUARD_REQUEST)) for _ in range(3)]
        await until(lambda: fake.requests)
        fake.gate.set()
        first, *others = await asyncio.gather(*together)
        known = await guard.assess(GUARD_REQUEST)
        assert all(verdict.verdict == first.verdict for verdict in (*others, known))
        assert (known.queue_ms, known.guard_ms, known.prepare_ms) == (0, 0, 0)
        assert len(fake.requests) == 1
        fake.fingerprint = "another policy"
        await guard.assess(GUARD_REQUEST)
        assert len(fake.requests) == 2

    run_scenario(fake, scenario, observer=counts)
    assert counts.verdicts == {"miss": 2, "joined": 2, "hit": 1}


def test_the_first_of_several_may_leave_without_taking_the_verdict_along() -> None:
    fake = FakeGuard()
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        first, second = (asyncio.create_task(guard.assess(GUARD_REQUEST)) for _ in range(2))
        await until(lambda: fake.requests)
        first.cancel()
        await asyncio.sleep(0)
        fake.gate.set()
        assert (await second).verdict.decision is Decision.ALLOWED

    run_scenario(fake, scenario)


def test_without_a_cache_equal_requests_are_judged_again() -> None:
    fake = FakeGuard()

    async def scenario(guard: AsyncGuard) -> None:
        await guard.assess(GUARD_REQUEST)
        await guard.assess(GUARD_REQUEST)

    run_scenario(fake, scenario, cache_bytes=0)
    assert len(fake.requests) == 2


def test_the_canary_is_judged_anew_every_time() -> None:
    fake = FakeGuard()

    async def scenario(guard: AsyncGuard) -> None:
        for _ in range(3):
            await guard.check_canary()

    run_scenario(fake, scenario)
    assert fake.batches == [1, 1, 1]


def test_a_request_without_verdict_is_asked_again() -> None:
    fake = FakeGuard(decision=None)

    async def scenario(guard: AsyncGuard) -> None:
        assert (await guard.assess(GUARD_REQUEST)).assessment is None
        fake.decision = Decision.ALLOWED
        assert (await guard.assess(GUARD_REQUEST)).assessment is not None

    run_scenario(fake, scenario)


def test_refused_requests_never_reach_the_generator_while_others_talk() -> None:
    fake = FakeGuard(pieces=["a"] * 50)
    counts = Counts()

    async def scenario(guard: AsyncGuard) -> None:
        talking = asyncio.create_task(collected(guard))
        await until(lambda: fake.requests)
        fake.decision = Decision.REFUSED
        for number in range(5):
            *_, reply = await collected(guard, chatting(str(number)))
            assert isinstance(reply, Reply)
            assert (reply.content, reply.finish_reason) == (None, "content_filter")
        await talking

    run_scenario(fake, scenario, observer=counts)
    assert counts.made["prompt"] == 7
    assert {size for queue, size in counts.batches if queue == "generate"} == {1}


def test_accepted_chats_stay_within_the_budget_of_tokens() -> None:
    fake = FakeGuard()
    fake.between.clear()

    async def scenario(guard: AsyncGuard) -> None:
        accepted = asyncio.create_task(collected(guard, chatting("a", max_tokens=60)))
        await until(lambda: fake.requests)
        with pytest.raises(OverloadedError):
            await collected(guard, chatting("b", max_tokens=60))
        smaller = asyncio.create_task(collected(guard, chatting("c", max_tokens=40)))
        await until(lambda: len(fake.requests) == 2)
        fake.between.set()
        await asyncio.gather(accepted, smaller)
        await collected(guard, chatting("alone", max_tokens=500))

    run_scenario(fake, scenario, max_tokens_in_flight=100)


# --- the worker dies --------------------------------------------------------------------------------------------------


def test_a_fault_while_judging_reaches_everybody_and_the_worker_comes_back() -> None:
    fake, deaths = FakeGuard(), []
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        fake.fault = RuntimeError("SECRET")
        running = [asyncio.create_task(guard.assess(GUARD_REQUEST)), asyncio.create_task(guard.assess(GUARD_REQUEST))]
        await until(lambda: fake.requests)
        waiting = [asyncio.create_task(guard.assess(asking("b"))), asyncio.create_task(collected(guard))]
        await until(lambda: guard.depth == 2)
        fake.gate.set()
        outcomes = await asyncio.gather(*running, *waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoppedError] * 4
        await until(lambda: guard.alive)
        assert guard.deaths == 1
        assert (await guard.assess(GUARD_REQUEST)).verdict.decision is Decision.ALLOWED
        assert len(await collected(guard)) == 5

    run_scenario(fake, scenario, on_death=lambda: deaths.append(True))
    assert deaths == [True]


def test_a_fault_while_generating_ends_every_reply_with_an_error() -> None:
    fake = FakeGuard()
    fake.between.clear()

    async def scenario(guard: AsyncGuard) -> None:
        fake.fault_in_step = RuntimeError("SECRET")
        replies = [asyncio.create_task(collected(guard, chatting(str(number)))) for number in range(3)]
        await until(lambda: len(fake.requests) == 3)
        fake.between.set()
        outcomes = await asyncio.gather(*replies, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoppedError] * 3
        await until(lambda: guard.alive)
        assert len(await collected(guard)) == 5

    run_scenario(fake, scenario)


def test_while_the_worker_is_dead_nobody_waits_for_it() -> None:
    fake = FakeGuard(fault=RuntimeError("broken"))

    async def scenario(guard: AsyncGuard) -> None:
        with pytest.raises(StoppedError):
            await guard.assess(GUARD_REQUEST)
        await until(lambda: not guard.alive)
        with pytest.raises(StoppedError):
            await guard.assess(asking("b"))
        with pytest.raises(StoppedError):
            await collected(guard)

    run_scenario(fake, scenario, restart_pause_s=60)


@pytest.mark.parametrize("death", [MemoryError(), KeyboardInterrupt(), SystemExit(1)])
def test_no_kind_of_death_leaves_anybody_waiting(death: BaseException) -> None:
    fake = FakeGuard(fault=death)

    async def scenario(guard: AsyncGuard) -> None:
        with pytest.raises(StoppedError):
            await guard.assess(GUARD_REQUEST)
        await until(lambda: guard.alive)
        await guard.assess(GUARD_REQUEST)

    run_scenario(fake, scenario)


def test_a_chats_verdict_serves_a_classification_but_not_the_other_way_round() -> None:
    fake = FakeGuard()
    turns = (Turn(role="user", text="once"),)

    async def scenario(guard: AsyncGuard) -> None:
        chat, alone = ChatRequest(turns=turns), GuardRequest(turns=turns)
        told = [event async for event in guard.stream(chat)]
        assert isinstance(told[0], GuardVerdict)
        assert (await guard.assess(alone)).pair == told[0].pair
        assert len(fake.requests) == 1
        other = (Turn(role="user", text="twice"),)
        await guard.assess(GuardRequest(turns=other))
        assert [event async for event in guard.stream(ChatRequest(turns=other))]
        assert len(fake.requests) == 3, "a reply needs what a classification does not keep"

    run_scenario(fake, scenario)


# --- clients and deadlines --------------------------------------------------------------------------------------------


def test_a_deadline_that_has_passed_queues_nothing() -> None:
    fake = FakeGuard()

    async def scenario(guard: AsyncGuard) -> None:
        past = time.monotonic() - 1
        with pytest.raises(DeadlineError):
            await guard.assess(GUARD_REQUEST, deadline=past)
        with pytest.raises(DeadlineError):
            async for _ in guard.stream(CHAT_REQUEST, deadline=past):
                pass
        assert (await guard.assess(GUARD_REQUEST, client="key:a", deadline=time.monotonic() + 240)).verdict is not None

    run_scenario(fake, scenario)
    assert len(fake.requests) == 1


def test_a_deadline_covers_preparing_and_a_waiter_that_left_is_not_prepared_for() -> None:
    fake, prepared, hold = FakeGuard(), list[str](), threading.Event()
    prepare = fake.prepare

    def slow(request: GuardRequest) -> PreparedRequest:
        prepared.append(request.turns[0].text)
        assert hold.wait(240)
        return prepare(request)

    fake.prepare = slow  # type: ignore[method-assign]

    async def scenario(guard: AsyncGuard) -> None:
        try:
            first = asyncio.create_task(guard.assess(asking("first")))
            await until(lambda: prepared)
            with pytest.raises(DeadlineError):
                await guard.assess(asking("late"), deadline=time.monotonic() + 0.01)
            gone = asyncio.create_task(guard.assess(asking("gone")))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            gone.cancel()
            waiting = asyncio.create_task(guard.assess(asking("waiting")))
        finally:
            hold.set()
        await asyncio.gather(first, waiting)

    run_scenario(fake, scenario, prepare_slots=1)
    assert prepared == ["first", "waiting"]


def test_of_those_who_wait_to_be_prepared_the_shortest_is_next() -> None:
    fake, prepared, hold = FakeGuard(), list[int](), threading.Event()
    prepare = fake.prepare

    def slow(request: GuardRequest) -> PreparedRequest:
        prepared.append(len(request.turns[0].text))
        assert hold.wait(240)
        return prepare(request)

    fake.prepare = slow  # type: ignore[method-assign]

    async def scenario(guard: AsyncGuard) -> None:
        tasks = [asyncio.create_task(guard.assess(asking("x" * length))) for length in (5, 4000, 3000, 2, 20)]
        await until(lambda: prepared)
        await asyncio.sleep(0)
        hold.set()
        await asyncio.gather(*tasks)

    run_scenario(fake, scenario, prepare_slots=1)
    assert prepared == [5, 2, 20, 3000, 4000]


def test_who_joins_a_verdict_may_wait_longer_than_the_first() -> None:
    fake = FakeGuard()
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        busy = asyncio.create_task(guard.assess(asking("busy")))
        await until(lambda: fake.requests)
        soon = asyncio.create_task(guard.assess(GUARD_REQUEST, deadline=time.monotonic() + 20))
        await until(lambda: guard.depth == 1)
        deadline = time.monotonic() + 500
        later = asyncio.create_task(guard.assess(GUARD_REQUEST, deadline=deadline))
        (entry,) = guard._scheduler.verdicts._waiting
        await until(lambda: entry.deadline == deadline)
        soon.cancel()
        await asyncio.gather(soon, return_exceptions=True)
        fake.gate.set()
        await busy
        assert (await later).verdict.decision is Decision.ALLOWED

    run_scenario(fake, scenario)
    assert len(fake.requests) == 2


def test_who_joins_a_verdict_gets_no_room_for_the_first() -> None:
    fake = FakeGuard()
    fake.gate.clear()
    prepare = fake.prepare
    fake.prepare = lambda request: replace(prepare(request), cost=1000)  # type: ignore[method-assign]
    long = asking("A dog. " * 20_000)

    async def scenario(guard: AsyncGuard) -> None:
        far = time.monotonic() + 1e6
        busy = [asyncio.create_task(guard.assess(asking(text), client="hasty", deadline=far)) for text in "ab"]
        await until(lambda: len(fake.requests) == 1 and guard.depth == 1)
        hasty = guard.assess(long, client="hasty", deadline=time.monotonic() + 5)
        tasks = [asyncio.create_task(hasty)]
        tasks += [asyncio.create_task(guard.assess(long, client=one, deadline=far)) for one in ("hasty", "b")]
        for rejected in tasks[:2]:
            with pytest.raises(OverloadedError):
                await rejected
        fake.gate.set()
        await asyncio.gather(*busy)
        assert (await tasks[2]).verdict.decision is Decision.ALLOWED

    run_scenario(fake, scenario, max_requests=100)


def test_a_refused_clients_request_is_asked_again_for_another_client_that_had_joined_it() -> None:
    fake = FakeGuard()
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        others = [asyncio.create_task(guard.assess(asking("busy"), client="other"))]
        await until(lambda: fake.requests)
        others += [asyncio.create_task(guard.assess(asking(f"{n}"), client="greedy")) for n in range(2)]
        await until(lambda: guard.depth == 2)
        greedy = asyncio.create_task(guard.assess(GUARD_REQUEST, client="greedy"))
        joined = asyncio.create_task(guard.assess(GUARD_REQUEST, client="modest"))
        with pytest.raises(OverloadedError):
            await greedy
        await until(lambda: guard.depth == 3)
        fake.gate.set()
        await asyncio.gather(*others)
        assert (await joined).verdict.decision is Decision.ALLOWED

    run_scenario(fake, scenario, max_requests=4)


def test_the_canary_is_asked_through_a_full_queue() -> None:
    fake = FakeGuard()
    fake.gate.clear()

    async def scenario(guard: AsyncGuard) -> None:
        busy = [asyncio.create_task(guard.assess(asking("busy")))]
        await until(lambda: fake.requests)
        busy += [asyncio.create_task(guard.assess(asking("waits")))]
        await until(lambda: guard.depth == 1)
        check = asyncio.create_task(guard.check_canary())
        await until(lambda: guard.depth == 2)
        fake.gate.set()
        assert await check is None
        await asyncio.gather(*busy)

    run_scenario(fake, scenario, max_requests=1)


def test_a_full_queue_says_when_to_come_back_by_what_is_in_it() -> None:
    fake = FakeGuard()
    fake.gate.clear()
    prepare = fake.prepare
    fake.prepare = lambda request: replace(prepare(request), cost=1000)  # type: ignore[method-assign]

    async def scenario(guard: AsyncGuard) -> None:
        assert guard.estimate_retry_after_s() == 1
        busy = [
            asyncio.create_task(guard.assess(asking(f"{number}"), deadline=time.monotonic() + 1e6)) for number in "ab"
        ]
        await until(lambda: len(fake.requests) == 1 and guard.depth == 1)
        with pytest.raises(OverloadedError) as caught:
            await guard.assess(asking("too much"), deadline=time.monotonic() + 20)
        assert 10 < caught.value.retry_after_s <= 60
        assert 10 < guard.estimate_retry_after_s() <= 60
        fake.gate.set()
        await asyncio.gather(*busy)

    run_scenario(fake, scenario, max_requests=100)


def test_one_client_holds_its_share_of_the_budget_of_tokens_only_while_others_chat() -> None:
    fake = FakeGuard()
    fake.between.clear()

    async def chat(guard: AsyncGuard, text: str, client: str) -> list[Event]:
        return [event async for event in guard.stream(chatting(text, max_tokens=20), client=client)]

    async def scenario(guard: AsyncGuard) -> None:
        accepted = [asyncio.create_task(chat(guard, "a", "greedy")), asyncio.create_task(chat(guard, "b", "modest"))]
        await until(lambda: len(fake.requests) == 2)
        accepted += [asyncio.create_task(chat(guard, "c", "greedy"))]
        await until(lambda: len(fake.requests) == 3)
        with pytest.raises(OverloadedError):
            await chat(guard, "d", "greedy")
        accepted += [asyncio.create_task(chat(guard, "e", "modest"))]
        await until(lambda: len(fake.requests) == 4)
        fake.between.set()
        await asyncio.gather(*accepted)
        await asyncio.gather(*(chat(guard, f"alone {number}", "greedy") for number in range(4)))

    run_scenario(fake, scenario, max_tokens_in_flight=100)


def test_no_thread_to_prepare_in_is_a_want_of_memory() -> None:
    class NoThreads(Executor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("can't start new thread")

    async def scenario() -> None:
        guard = AsyncGuard(FakeGuard(), preparers=NoThreads(), observer=SilentObserver())
        with pytest.raises(ExhaustedError):
            await guard.assess(GUARD_REQUEST)
        assert await guard.close(timeout_s=240)

    asyncio.run(scenario())


def test_what_was_rejected_after_it_was_prepared_is_not_prepared_again_at_once() -> None:
    fake, prepared = FakeGuard(), Counter[str]()
    fake.gate.clear()
    prepare = fake.prepare

    def dear(request: GuardRequest) -> PreparedRequest:
        prepared[request.turns[0].text[:4]] += 1
        ready = replace(prepare(request), cost=1000)
        is_dear = request.turns[0].text.startswith("dear")
        return replace(ready, work=Work(requests=1, tokens=10**9)) if is_dear else ready

    fake.prepare = dear  # type: ignore[method-assign]
    long = " and so on" * 200

    async def scenario(guard: AsyncGuard) -> None:
        far = time.monotonic() + 1e6
        busy = [asyncio.create_task(guard.assess(asking(text), deadline=far)) for text in ("busy 1", "busy 2")]
        await until(lambda: len(fake.requests) == 1 and guard.depth == 1)
        for text in ("dear 1" + long, "dear 2" + long, "dear 3, and more of it" + long):
            with pytest.raises(OverloadedError):
                await guard.assess(asking(text), client="hog", deadline=time.monotonic() + 600)
        assert prepared["dear"] == 1
        with pytest.raises(OverloadedError):
            await guard.assess(asking("dear 4" + long), client="another", deadline=time.monotonic() + 600)
        assert prepared["dear"] == 2
        small = asyncio.create_task(guard.assess(asking("a"), client="hog", deadline=far))
        await until(lambda: prepared["a"] == 1)
        fake.gate.set()
        await asyncio.gather(*busy, small)

    run_scenario(fake, scenario)


def test_what_will_be_refused_anyway_is_not_prepared() -> None:
    fake, prepared = FakeGuard(), list[str]()
    fake.gate.clear()
    prepare = fake.prepare

    def dear(request: GuardRequest) -> PreparedRequest:
        prepared.append(request.turns[0].text[:5])
        return replace(prepare(request), cost=1000)

    fake.prepare = dear  # type: ignore[method-assign]
    sentences = "A dog. " * 20_000

    async def scenario(guard: AsyncGuard) -> None:
        far = time.monotonic() + 1e6
        busy = [asyncio.create_task(guard.assess(asking(text), deadline=far)) for text in ("busy1", "busy2")]
        # One is being judged and one waits: a depth of 1 alone may be the first, which nobody has taken yet.
        await until(lambda: len(fake.requests) == 1 and guard.depth == 1)
        with pytest.raises(OverloadedError):
            await guard.assess(asking(sentences), deadline=time.monotonic() + 5)
        fake.gate.set()
        await asyncio.gather(*busy)

    run_scenario(fake, scenario)
    assert sorted(prepared) == ["busy1", "busy2"]


@dataclass
class ReadingGuard(FakeGuard):
    """A guard that reads pictures; preparing waits for ``prepares``."""

    prepares: threading.Event = field(default_factory=threading.Event)

    @property
    def info(self) -> GuardInfo:
        return replace(super().info, reads_lettering=True)

    def prepare(self, request: GuardRequest) -> PreparedRequest:
        assert not request.images or self.prepares.wait(240)
        outcomes = [Outcome.READ, Outcome.NONE, *[Outcome.FAILED] * len(request.images)][: len(request.images)]
        views = [ViewReading(outcome=outcome, seconds=0.25, kept=outcome is Outcome.NONE) for outcome in outcomes]
        return PreparedRequest(request=request, readings=tuple(PictureReading(views=(view,)) for view in views))


def test_pictures_are_counted_once_when_they_are_read() -> None:
    fake, counts = ReadingGuard(), Counts()
    fake.prepares.set()

    async def scenario(guard: AsyncGuard) -> None:
        await guard.assess(create_guard_request(create_picture(), create_picture("blue"), create_picture("green")))

    run_scenario(fake, scenario, observer=counts)
    assert counts.readings == [("read", 0.25), ("failed", 0.25)]


def test_pictures_that_could_not_be_read_in_time_are_rejected_at_once_and_words_are_not() -> None:
    fake = ReadingGuard()

    async def scenario(guard: AsyncGuard) -> None:
        many = [create_picture(size=(20, height)) for height in range(20, 28)]
        first = asyncio.create_task(guard.assess(create_guard_request(*many)))
        await asyncio.sleep(0)
        due = time.monotonic() + 1.0
        with pytest.raises(OverloadedError) as caught:
            await guard.assess(create_guard_request(create_picture()), deadline=due)
        assert caught.value.retry_after_s > 2
        assert (await guard.assess(create_guard_request())).verdict.decision is Decision.ALLOWED
        fake.prepares.set()
        await first
        assert (await guard.assess(create_guard_request(create_picture()))).images_scanned == 1

    run_scenario(fake, scenario)
