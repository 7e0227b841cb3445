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

    choice: int = 0
    """Which of the replies to one request it is; they share a verdict, and the first one counts it."""


async def counted(service: Service, chat: Chat) -> AsyncGenerator[Event, None]:
    """The engine's events, each written into the audit log before anybody hears of it.

    Raises as the engine does, and UnauditedError.
    """
    speechless, record = True, chat.record
    async with aclosing(service.guard.stream(chat.request)) as events:
        async for event in events:
            if isinstance(event, GuardVerdict):
                await service.auditor.decided(record, [event])
                if chat.choice == 0:
                    record.judged(event, decode_ms=chat.decode_ms)
                    service.metrics.verdict(record, event)
                    if event.verdict.reason is not None:  # told as a refusal, which no error handler counts
                        service.metrics.rejected.labels(event.verdict.reason).inc()
            elif isinstance(event, Reply):
                await service.auditor.replied(record, chat.choice, event)
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
