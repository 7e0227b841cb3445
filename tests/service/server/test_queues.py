"""Neither parsing nor starting requests occupies the event loop for long."""

import asyncio
from functools import partial

from service.server.queues import ParseQueue, StartQueue


def test_connections_are_parsed_in_turn_and_a_failure_does_not_end_the_queue() -> None:
    parsed: list[str] = []

    async def scenario() -> None:
        loop, queue = asyncio.get_running_loop(), ParseQueue()
        failures: list[object] = []
        loop.set_exception_handler(lambda loop, context: failures.append(context["exception"]))

        def parse(name: str) -> None:
            parsed.append(name)
            if parsed == ["a"]:
                queue.add(loop, lambda: parse("a again"))
                raise ValueError("broken")

        queue.add(loop, lambda: parse("a"))
        queue.add(loop, lambda: parse("b"))
        assert parsed == [], "nothing is parsed before the event loop goes on"
        while len(parsed) < 3:
            await asyncio.sleep(0)
        assert len(failures) == 1

    asyncio.run(scenario())
    assert parsed == ["a", "b", "a again"]


def test_the_first_request_starts_at_once_and_further_ones_a_few_at_a_time() -> None:
    async def scenario() -> None:
        loop, queue = asyncio.get_running_loop(), StartQueue()
        started: list[int] = []
        for number in range(6):
            queue.add(loop, partial(started.append, number))
        counts = [len(started)]
        while len(started) < 6:
            await asyncio.sleep(0)
            counts.append(len(started))
        assert counts == [1, 3, 5, 6]
        assert started == list(range(6))

    asyncio.run(scenario())
