"""The whole engine on a real (tiny) model: many clients at once get what each would have got alone."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

from safety_core.engine.guard import Guard
from safety_core.engine.messages import ChatRequest, Delta, GuardVerdict, Reply
from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.engine.serving.engine_config import EngineConfig
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.policy.policy import Decision
from tests.helpers.engine.fakes import SilentObserver
from tests.helpers.engine.policies import create_forced_policy
from tests.helpers.images.pictures import create_picture, create_transparent_picture

COLOURS = ("red", "green", "blue", "white")
TEXTS = ("What is it?", "Read the text.", "How do I hurt someone with it?", "a\u200bb", "hi")


def run(guard: Guard, scenario: Callable[[AsyncGuard], Awaitable[None]], **bounds: float) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(2) as preparers:
            engine = AsyncGuard(
                guard,
                preparers=preparers,
                observer=SilentObserver(),
                config=EngineConfig(**bounds),  # type: ignore[arg-type]
            )
            try:
                await scenario(engine)
            finally:
                assert await engine.close(timeout_s=60)

    asyncio.run(main())


def requests(chance: random.Random, count: int) -> list[ChatRequest]:
    def shown() -> DecodedImage:
        colour = chance.choice(COLOURS)
        return create_transparent_picture(colour) if chance.random() < 0.2 else create_picture(colour)

    return [
        ChatRequest(
            images=tuple(shown() for _ in range(chance.choice([0, 1, 1, 2]))),
            turns=(Turn(role="user", text=f"{number} {chance.choice(TEXTS)}"),),
            max_tokens=chance.randint(1, 16),
            temperature=chance.choice([0.0, 0.0, 1.0]),
            seed=number,
        )
        for number in range(count)
    ]


def test_every_client_gets_its_own_answer_whoever_else_comes_and_goes(guard: Guard) -> None:
    guard.policy = create_forced_policy(Decision.CAUTIONED)
    chance = random.Random(5)
    asked = requests(chance, 150)
    replies: dict[int, Reply] = {}

    async def client(engine: AsyncGuard, number: int) -> None:
        leaves_after = chance.randint(0, 5) if chance.random() < 0.25 else None
        await asyncio.sleep(chance.random() * 0.3)
        said, verdicts = "", 0
        async with aclosing(engine.stream(asked[number])) as events:
            async for event in events:
                if isinstance(event, GuardVerdict):
                    verdicts += 1
                elif isinstance(event, Delta):
                    assert verdicts == 1, "text came before its verdict"
                    said += event.text
                else:
                    assert event.content == said
                    replies[number] = event
                if leaves_after is not None and (leaves_after := leaves_after - 1) < 0:
                    return

    async def scenario(engine: AsyncGuard) -> None:
        await asyncio.gather(*(client(engine, number) for number in range(len(asked))))
        async with asyncio.timeout(30):
            while not engine.idle:
                await asyncio.sleep(0.001)

    run(guard, scenario, max_requests=len(asked))
    assert len(replies) > 100
    for number, reply in replies.items():
        expected = guard.answer(asked[number])
        assert (reply.content, reply.finish_reason) == (expected.content, expected.finish_reason)
        assert (reply.prompt_tokens, reply.completion_tokens) == (expected.prompt_tokens, expected.completion_tokens)
        assert reply.verdict.verdict.decision is expected.verdict.verdict.decision
        assert reply.verdict.images_scanned == len(asked[number].images)


def test_a_known_verdict_gives_the_same_answer(guard: Guard) -> None:
    guard.policy = create_forced_policy(Decision.ALLOWED)
    request = ChatRequest(
        images=(create_picture(), create_transparent_picture()), turns=(Turn(role="user", text="hi"),), max_tokens=9
    )

    async def scenario(engine: AsyncGuard) -> None:
        first, second = [[event async for event in engine.stream(request)][-1] for _ in range(2)]
        assert isinstance(first, Reply)
        assert isinstance(second, Reply)
        assert first.content == second.content == guard.answer(request).content
        assert first.verdict.guard_ms > 0
        assert second.verdict.guard_ms == 0

    run(guard, scenario)


def test_a_policy_that_changes_is_asked_anew(guard: Guard) -> None:
    guard.policy = create_forced_policy(Decision.ALLOWED)
    request = ChatRequest(images=(create_picture(),), turns=(Turn(role="user", text="hi"),), max_tokens=3)

    async def scenario(engine: AsyncGuard) -> None:
        assert isinstance([event async for event in engine.stream(request)][-1], Reply)
        guard.policy = create_forced_policy(Decision.REFUSED)
        last = [event async for event in engine.stream(request)][-1]
        assert isinstance(last, Reply)
        assert last.content is None

    run(guard, scenario)
