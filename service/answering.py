"""A chat's events on their way to a client: counted once, whatever protocol they are told in."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from safety_core.engine.messages import ChatRequest, Event, GuardVerdict, Reply
from service.record import RequestRecord
from service.state import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """One reply that is wanted, and what its counting needs to know."""

    record: RequestRecord
    """The HTTP request that wants it."""

    request: ChatRequest
    """What is asked."""

    decode_ms: float
    """Milliseconds that decoding its pictures took."""

    counts_verdict: bool = True
    """Whether its verdict is a request's own; further replies to one request share it."""


async def counted(service: Service, chat: Chat) -> AsyncGenerator[Event, None]:
    """The engine's events; raises as the engine does."""
    speechless, record = True, chat.record
    async with aclosing(service.guard.stream(chat.request)) as events:
        async for event in events:
            if isinstance(event, GuardVerdict):
                if chat.counts_verdict:
                    record.judged(event, decode_ms=chat.decode_ms)
                    service.metrics.verdict(record, event)
                    if event.verdict.reason is not None:  # told as a refusal, which no error handler counts
                        service.metrics.rejected.labels(event.verdict.reason).inc()
            elif isinstance(event, Reply):
                record.replied(event)
                service.metrics.reply(record, event)
            elif speechless and not event.refusal:
                speechless = False
                service.metrics.first_token(record)
            yield event


async def last(events: AsyncIterator[Event]) -> Reply:
    """The reply that a stream of events ends with."""
    async for event in events:
        if isinstance(event, Reply):
            return event
    raise AssertionError("the engine ended a stream without a reply")
