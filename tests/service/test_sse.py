"""Several streams as one: nothing is lost, nothing mixed up, and nobody left running."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from service.sse import merge_streams


class Source:
    """Counts to a number, or breaks there."""

    def __init__(self, count: int, *, breaks: bool = False, endless: bool = False) -> None:
        self.count, self.breaks, self.endless = count, breaks, endless
        self.closed = False

    async def items(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self.count):
                await asyncio.sleep(0)
                yield number
            if self.breaks:
                raise ValueError("broken")
            while self.endless:
                await asyncio.sleep(0.001)
        finally:
            self.closed = True


def test_every_item_comes_with_the_number_of_its_source_and_in_its_order() -> None:
    async def run() -> list[tuple[int, int]]:
        return [item async for item in merge_streams([Source(3).items(), Source(0).items(), Source(5).items()])]

    found = asyncio.run(run())
    assert [number for index, number in found if index == 0] == [0, 1, 2]
    assert [number for index, number in found if index == 2] == [0, 1, 2, 3, 4]
    assert len(found) == 8


def test_one_that_breaks_breaks_all_and_closes_them() -> None:
    broken, endless = Source(1, breaks=True), Source(2, endless=True)

    async def run() -> None:
        async for _ in merge_streams([broken.items(), endless.items()]):
            pass

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(run())
    assert broken.closed
    assert endless.closed


def test_whoever_stops_listening_closes_them() -> None:
    sources = [Source(2, endless=True), Source(2, endless=True)]

    async def run() -> None:
        stream = merge_streams([source.items() for source in sources])
        await anext(stream)
        await stream.aclose()
        assert all(source.closed for source in sources)

    asyncio.run(run())
