"""What the lifespan owns and every request can reach: one typed object, no globals."""

from concurrent.futures import Executor
from dataclasses import dataclass, field

from fastapi import Request

from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.policy.book import PolicyBook
from service.api.responses import View
from service.api_keys import Allowance, KeySet
from service.hot_reload import WatchedFile
from service.ingress.decode_pool import Decoders
from service.ingress.image_loader import Pictures
from service.ingress.memory_budget import MemoryBudget
from service.middleware.error_budget import ErrorPacer
from service.readiness import Readiness
from service.settings import Settings
from service.telemetry.audit import Auditor
from service.telemetry.logs import RefusalLog
from service.telemetry.metrics import Metrics
from service.telemetry.request_record import record_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of a running server."""

    settings: Settings
    """What the operator chose."""

    guard: AsyncGuard
    """Judges and answers."""

    metrics: Metrics
    """What Prometheus scrapes."""

    readiness: Readiness
    """Whether the guard passed its last self-check."""

    decoders: Decoders
    """Decodes pictures."""

    parsers: Executor
    """Parses large texts and prepares requests, which never wait for pictures."""

    memory: MemoryBudget
    """The memory budget of all requests."""

    pictures: Pictures
    """Loads the pictures of requests."""

    keys: WatchedFile[KeySet]
    """Who may call."""

    allowance: Allowance
    """How much each key has left."""

    policies: WatchedFile[PolicyBook]
    """What requests are judged by."""

    auditor: Auditor
    """Writes down what was decided."""

    pacer: ErrorPacer
    """Limits the work that a client causes with requests that end in errors."""

    refusals: RefusalLog = field(default_factory=RefusalLog)
    """Log lines of rejected requests."""


def view_of(request: Request, *, decode_ms: float) -> View:
    """How a request is told to its client."""
    service = service_of(request)
    return View(
        model=service.guard.info.checkpoint,
        expose_risk=service.settings.expose_risk,
        decode_ms=decode_ms,
        id=record_of(request).id,
    )


def service_of(request: Request) -> Service:
    """The running server behind a request."""
    service = request.state.service
    assert isinstance(service, Service)
    return service
