"""Server-Sent Events, and clients that leave before the end."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Send

EVENT_STREAM = "text/event-stream"

_Result = TypeVar("_Result")


class ClientLeft(Exception):  # not an error of anybody's
    """The client closed its connection; there is nobody to answer."""


class EventStream(StreamingResponse):
    """A stream of events whose source is closed as soon as the client leaves, not when garbage is collected."""

    media_type = EVENT_STREAM

    def __init__(self, events: AsyncGenerator[str, None], headers: Mapping[str, str] | None = None) -> None:
        # Proxies hold back what they may buffer or cache.
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})})
        self._events = events

    async def stream_response(self, send: Send) -> None:
        """Send the head, then each event as it comes."""
        async with aclosing(self._events):
            await super().stream_response(send)


def sse(event: str, data: Mapping[str, Any]) -> str:
    """One event; JSON has no bare line breaks, so one ``data`` line holds it."""
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def merged(sources: Sequence[AsyncGenerator[_Result, None]]) -> AsyncGenerator[tuple[int, _Result], None]:
    """Items of several sources as they come, each with the number of its source.

    Raises:
        Exception: what a source raised; the others are closed.
    """
    ready: asyncio.Queue[tuple[int, _Result] | BaseException | None] = asyncio.Queue()

    async def pump(index: int, source: AsyncGenerator[_Result, None]) -> None:
        try:
            async with aclosing(source):
                async for item in source:
                    ready.put_nowait((index, item))
        except Exception as exc:
            ready.put_nowait(exc)
        else:
            ready.put_nowait(None)

    pumps = [asyncio.create_task(pump(index, source)) for index, source in enumerate(sources)]
    try:
        running = len(pumps)
        while running:
            item = await ready.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                running -= 1
            else:
                yield item
    finally:
        for one in pumps:
            one.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def unless_client_leaves(request: Request, work: Awaitable[_Result]) -> _Result:
    """Await ``work``, but cancel it as soon as the client is gone. The body must have been read.

    Raises:
        ClientLeft: it is gone.
    """
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_departure(request.receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeft
        return task.result()
    finally:
        for one in (task, watcher):
            one.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await one


def data_line(data: Mapping[str, Any] | str) -> str:
    """One event without a name, as OpenAI-style streams have them."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n"


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
