"""What the lifespan owns and every request can reach: one typed object, no globals."""

from concurrent.futures import Executor
from dataclasses import dataclass, field

from fastapi import Request

from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.policy.book import PolicyBook
from service.access.api_keys import KeySet
from service.access.rate_limit import RateLimiter
from service.api.responses import View
from service.hot_reload import ReloadedFile
from service.ingress.decode_pool import DecodePool
from service.ingress.error_budget import ErrorBudget
from service.ingress.image_loader import ImageLoader
from service.ingress.memory_budget import MemoryBudget
from service.readiness import Readiness
from service.settings import Settings
from service.telemetry.audit import AuditLogWriter
from service.telemetry.logs import RejectionLog
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

    decode_pool: DecodePool
    """Decodes pictures."""

    parsers: Executor
    """Parses large texts and prepares requests, which never wait for pictures."""

    memory: MemoryBudget
    """The memory budget of all requests."""

    image_loader: ImageLoader
    """Loads the pictures of requests."""

    keys: ReloadedFile[KeySet]
    """Who may call."""

    rate_limiter: RateLimiter
    """How much each key has left."""

    policies: ReloadedFile[PolicyBook]
    """What requests are judged by."""

    audit_log: AuditLogWriter
    """Writes down what was decided."""

    error_budget: ErrorBudget
    """Limits the work that a client causes with requests that end in errors."""

    rejection_log: RejectionLog = field(default_factory=RejectionLog)
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
