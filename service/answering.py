"""A chat's events on their way to a client: counted once, whatever protocol they are told in."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from safety_core.engine.messages import ChatRequest, Event, GuardVerdict, Reply
from service.state import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """One reply that is wanted, and what its counting needs to know."""

    endpoint: str
    """Name of the path in metrics."""

    request: ChatRequest
    """What is asked."""

    decode_ms: float
    """Milliseconds that decoding its pictures took."""

    arrived: float
    """When the HTTP request came, by ``time.perf_counter``."""

    counts_verdict: bool = True
    """Whether its verdict is a request's own; further replies to one request share it."""


async def counted(service: Service, chat: Chat) -> AsyncGenerator[Event, None]:
    """The engine's events; raises as the engine does."""
    speechless = True
    async with aclosing(service.guard.stream(chat.request)) as events:
        async for event in events:
            if isinstance(event, GuardVerdict):
                if chat.counts_verdict:
                    service.metrics.verdict(chat.endpoint, event, decode_ms=chat.decode_ms)
                    if event.verdict.reason is not None:  # told as a refusal, which no error handler counts
                        service.metrics.rejected.labels(event.verdict.reason).inc()
            elif isinstance(event, Reply):
                service.metrics.reply(chat.endpoint, event)
            elif speechless and not event.refusal:
                speechless = False
                service.metrics.first_token_seconds.observe(time.perf_counter() - chat.arrived)
            yield event


async def last(events: AsyncIterator[Event]) -> Reply:
    """The reply that a stream of events ends with."""
    async for event in events:
        if isinstance(event, Reply):
            return event
    raise AssertionError("the engine ended a stream without a reply")
