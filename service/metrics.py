"""What Prometheus scrapes, under names that dashboards rely on; labels take values from closed lists only."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from safety_core.engine.async_guard import AsyncGuard
from safety_core.engine.messages import GuardVerdict, Reply

MEDIA_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """One server's metrics, in a registry of its own so that two servers in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "safevlm_requests", "Requests that got a verdict.", ["endpoint", "decision"], registry=self.registry
        )
        self.stage_seconds = Histogram(
            "safevlm_stage_seconds",
            "Time of each stage of a request.",
            ["endpoint", "stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.first_token_seconds = Histogram(
            "safevlm_time_to_first_token_seconds",
            "From a request's arrival to the first piece of the model's reply.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.risk = Counter(
            "safevlm_risk", "Requests by most probable type and level.", ["type", "level"], registry=self.registry
        )
        self.queue_depth = Gauge(
            "safevlm_queue_depth", "Requests that wait for the model.", ["queue"], registry=self.registry
        )
        self.batch_size = Histogram(
            "safevlm_batch_size",
            "Requests that go through the model together.",
            ["queue"],
            buckets=_SIZES,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "safevlm_in_flight", "Requests being read, waiting or running.", ["endpoint"], registry=self.registry
        )
        self.tokens = Counter("safevlm_tokens", "Tokens of the language model.", ["kind"], registry=self.registry)
        self.rejected = Counter(
            "safevlm_rejected", "Requests that got no verdict, by error code.", ["reason"], registry=self.registry
        )
        self.model_info = Gauge(
            "safevlm_model_info",
            "What is served; always 1.",
            ["checkpoint", "backbone", "device", "dtype"],
            registry=self.registry,
        )

    def watch(self, guard: AsyncGuard) -> None:
        """Read the queue at each scrape, and say what is served."""
        info = guard.info
        self.queue_depth.labels("guard").set_function(lambda: guard.depth)
        self.model_info.labels(info.checkpoint, info.backbone, info.device, info.dtype).set(1)

    def batch(self, size: int) -> None:
        """Some requests go through the model together."""
        self.batch_size.labels("guard").observe(size)

    def verdict(self, endpoint: str, verdict: GuardVerdict, *, decode_ms: float) -> None:
        """A request was judged, or refused for want of a verdict; who tells the client so counts the rejection."""
        self.requests.labels(endpoint, verdict.verdict.decision.value).inc()
        for stage, milliseconds in (("decode", decode_ms), ("queue", verdict.queue_ms), ("guard", verdict.guard_ms)):
            self.stage_seconds.labels(endpoint, stage).observe(milliseconds / 1000)
        if verdict.assessment is not None:
            self.risk.labels(verdict.assessment.type, verdict.assessment.level.name).inc()

    def reply(self, endpoint: str, reply: Reply) -> None:
        """A chat is finished."""
        self.tokens.labels("prompt").inc(reply.prompt_tokens)
        self.tokens.labels("completion").inc(reply.completion_tokens)
        if reply.content is not None:
            self.stage_seconds.labels(endpoint, "generate").observe(reply.generate_ms / 1000)

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
