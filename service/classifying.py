"""A verdict by itself: read, judged, written down and counted, whatever is told of it afterwards."""

from dataclasses import dataclass

from fastapi import Request

from safety_core.engine.messages import GuardVerdict
from safety_core.errors import NoVerdictError
from safety_core.policies import Rules
from service.intake import guard_request, read_request
from service.record import record_of
from service.ruling import rules_for
from service.state import service_of, view_of
from service.streaming import unless_client_leaves
from service.views import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """A request that was judged."""

    verdict: GuardVerdict
    """What was decided; there is an assessment."""

    rules: Rules
    """By what."""

    view: View
    """How it is told."""


async def classified(request: Request) -> Classified:
    """Judge a request of our own shape.

    Raises:
        InputError: anything is wrong with it.
        NoVerdictError: it could not be judged. A chat without a verdict is refused; a classification without one would
            be an answer that says nothing.
        EngineError: the engine failed.
    """
    service = service_of(request)
    service.readiness.require()
    intake = await read_request(request, service)
    rules = rules_for(request, policy=intake.options.policy, language=intake.options.language)
    asked, record = guard_request(intake, rules), record_of(request)
    record.asked(asked)
    verdict = await unless_client_leaves(request, service.guard.assess(asked))
    await service.auditor.decided(record, [verdict])
    record.judged(verdict, decode_ms=intake.decode_ms)
    service.metrics.verdict(record, verdict)
    service.metrics.waited(record, verdict.queue_ms)
    if verdict.assessment is None:
        raise NoVerdictError("the request could not be judged")
    return Classified(verdict=verdict, rules=rules, view=view_of(request, decode_ms=intake.decode_ms))
