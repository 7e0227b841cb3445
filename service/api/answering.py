"""A chat's events on their way to a client: counted once, whatever protocol they are told in."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from safety_core.engine.exceptions import describe
from safety_core.engine.messages import ChatRequest, Event, GuardVerdict, Reply
from safety_core.errors import SafeVLMError
from service.container import Service
from service.errors import build_error_reply
from service.telemetry.request_record import RequestRecord

_logger = logging.getLogger(__name__)


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
    stream = service.guard.stream(chat.request, client=record.client, deadline=record.deadline)
    async with aclosing(stream) as events:
        async for event in events:
            if isinstance(event, GuardVerdict):
                await service.audit_log.write_decision(record, [event])
                if chat.choice == 0:
                    record.add_verdict(event, decode_ms=chat.decode_ms)
                    service.metrics.record_verdict(record, event)
                    if event.verdict.reason is not None:  # told as a refusal, which no error handler counts
                        service.metrics.rejected.labels(event.verdict.reason).inc()
            elif isinstance(event, Reply):
                await service.audit_log.write_reply(record, chat.choice, event)
                record.add_reply(event)
                service.metrics.record_reply(record, event)
            elif speechless and not event.refusal:
                speechless = False
                service.metrics.observe_first_token(record)
            yield event


def broken_off(service: Service, record: RequestRecord, exc: Exception) -> dict[str, Any]:
    """The error that a stream ends with, once the status line is gone: the last place that can still tell anybody."""
    if not isinstance(exc, SafeVLMError):
        _logger.error("unforeseen: %s", describe(exc))
    failure = build_error_reply(exc)
    service.metrics.rejected.labels(failure.code).inc()
    record.error = failure.code
    return failure.body


async def last(events: AsyncIterator[Event]) -> Reply:
    """The reply that a stream of events ends with."""
    async for event in events:
        if isinstance(event, Reply):
            return event
    raise AssertionError("the engine ended a stream without a reply")
