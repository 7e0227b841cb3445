"""Formats and sends Server-Sent Events, and stops work for clients that disconnected."""

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


class ClientGoneError(Exception):  # not a SafeVLMError, because no response can be sent
    """The client closed its connection before the response."""


class EventStream(StreamingResponse):
    """A response of events whose source is closed as soon as the client disconnects, not at garbage collection."""

    media_type = EVENT_STREAM

    def __init__(self, events: AsyncGenerator[str, None], headers: Mapping[str, str] | None = None) -> None:
        # Otherwise proxies buffer or cache the events.
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})})
        self._events = events

    async def stream_response(self, send: Send) -> None:
        """Send the headers, then each event as soon as it is available."""
        async with aclosing(self._events):
            await super().stream_response(send)


def format_event(event: str, data: Mapping[str, Any]) -> str:
    """Format one event with a name; JSON has no bare line breaks, so it fits into one ``data`` line."""
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def merge_streams(sources: Sequence[AsyncGenerator[_Result, None]]) -> AsyncGenerator[tuple[int, _Result], None]:
    """Yield the items of several sources as soon as they are available, each with the index of its source.

    Raises:
        Exception: any error of a source; the other sources are closed.
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
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def cancel_on_disconnect(request: Request, work: Awaitable[_Result]) -> _Result:
    """Await ``work``, but cancel it as soon as the client disconnects. The body must have been read.

    Raises:
        ClientGoneError: the client disconnected.
    """
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_wait_for_disconnect(request.receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError
        return task.result()
    finally:
        for future in (task, watcher):
            future.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await future


def format_data(data: Mapping[str, Any] | str) -> str:
    """Format one event without a name, as OpenAI's protocol requires."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n"


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
