"""The parts of a running server, which every request can reach: one typed object, no globals."""

from concurrent.futures import Executor
from dataclasses import dataclass, field

from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.policy.named_policies import PolicyBook
from service.access.api_keys import KeySet
from service.access.rate_limit import RateLimiter
from service.hot_reload import ReloadedFile
from service.ingress.error_budget import ErrorBudget
from service.ingress.image_loader import ImageLoader
from service.ingress.memory_budget import MemoryBudget
from service.readiness import Readiness
from service.settings import Settings
from service.telemetry.audit import AuditLogWriter
from service.telemetry.logs import RejectionLog
from service.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of a running server."""

    settings: Settings
    """Settings of the operator."""

    guard: AsyncGuard
    """Judges and answers."""

    metrics: Metrics
    """Metrics for Prometheus."""

    readiness: Readiness
    """Whether the guard passed its last self-check."""

    parsers: Executor
    """Threads that parse large bodies and prepare requests; they never decode images."""

    memory: MemoryBudget
    """Memory budget of all requests."""

    image_loader: ImageLoader
    """Loads the images of requests."""

    keys: ReloadedFile[KeySet]
    """API keys in force."""

    rate_limiter: RateLimiter
    """Rate and concurrency limits of the API keys."""

    policies: ReloadedFile[PolicyBook]
    """Policies in force."""

    audit_log: AuditLogWriter
    """Writes decisions into the audit log."""

    error_budget: ErrorBudget
    """Limits the work that a client causes with requests that end in errors."""

    rejection_log: RejectionLog = field(default_factory=RejectionLog)
    """Log lines of rejected requests."""
