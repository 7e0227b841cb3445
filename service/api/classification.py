"""Verdicts that no reply follows: judged, written down and counted, whatever is told of them afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from fastapi import Request

from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.errors import NoVerdictError
from safety_core.policy.book import ActivePolicy
from service.api.policies import rules_for
from service.api.requests import guard_request, read_request
from service.api.responses import View
from service.api.text_windows import Assess
from service.container import service_of, view_of
from service.sse import unless_client_leaves
from service.telemetry.request_record import record_of

Within = Callable[[Assess, GuardRequest], Awaitable[GuardVerdict]]
"""Judges one request by means of several engine requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """A request that was judged."""

    verdict: GuardVerdict
    """What was decided; there is an assessment."""

    rules: ActivePolicy
    """By what."""

    view: View
    """How it is told."""


async def classified(request: Request) -> Classified:
    """Judge a request of our own shape.

    Raises:
        InputError: anything is wrong with it.
        SafeVLMError: as :func:`assessed`.
    """
    service = service_of(request)
    service.readiness.require()
    intake = await read_request(request, service)
    rules = rules_for(request, policy=intake.options.policy, language=intake.options.language)
    (verdict,) = await assessed(request, [guard_request(intake, rules)], decode_ms=intake.decode_ms)
    return Classified(verdict=verdict, rules=rules, view=view_of(request, decode_ms=intake.decode_ms))


async def assessed(
    request: Request, wanted: Sequence[GuardRequest], *, decode_ms: float, within: Within | None = None
) -> list[GuardVerdict]:
    """One verdict for each input of an HTTP request.

    Args:
        request: the HTTP request.
        wanted: what to judge.
        decode_ms: milliseconds spent on decoding their pictures.
        within: judges one of them if this takes several engine requests.

    Raises:
        ClientLeft: the client disconnected.
        NoVerdictError: one could not be judged. A chat is then refused; here a refusal would carry no information.
        EngineError: as the engine does, and UnauditedError.
    """
    service, record = service_of(request), record_of(request)
    for one in wanted:
        record.add_images(one)
    assess: Assess = partial(service.guard.assess, client=record.client, deadline=record.deadline)
    judge = assess if within is None else partial(within, assess)
    verdicts = await unless_client_leaves(request, asyncio.gather(*map(judge, wanted)))
    await service.audit_log.write_decision(record, verdicts)
    for verdict in verdicts:
        record.add_verdict(verdict, decode_ms=decode_ms)
        service.metrics.record_verdict(record, verdict)
        service.metrics.observe_queue_wait(record, verdict.queue_ms)
        if verdict.assessment is None:
            raise NoVerdictError("the request could not be judged")
    return verdicts
