"""What Prometheus scrapes, under names that dashboards rely on; labels take values from closed lists only."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from safety_core import __version__
from safety_core.engine.messages import GuardVerdict, Reply
from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.policy.book import DEFAULT_POLICY, Mode
from service.hot_reload import FileStatus
from service.ingress.decode_pool import DecodePool
from service.telemetry.request_record import RequestRecord

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_LONG_SECONDS = (*_SECONDS, 300, 600)
_HIDDEN = ("hidden", "hidden")
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """One server's metrics, in a registry of its own so that two servers in one process do not mix.

    Args:
        names_risk: whether requests are counted by the type and level of their risk; else both are ``hidden``.
    """

    def __init__(self, *, names_risk: bool = True) -> None:
        self._names_risk = names_risk
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
            "safevlm_risk",
            "Requests by the risk type and level of their verdict.",
            ["type", "level"],
            registry=self.registry,
        )
        self.policy_decisions = Counter(
            "safevlm_policy_decisions",
            "What each policy decided, with consequences (enforced) or without (shadow).",
            ["policy", "mode", "decision"],
            registry=self.registry,
        )
        self.policy_differences = Counter(
            "safevlm_policy_differences",
            "Requests that a policy without consequences would have decided differently.",
            ["policy", "decision", "other", "other_decision"],
            registry=self.registry,
        )
        self.replies = Counter(
            "safevlm_replies",
            "Replies of the model by what became of them: said, cut, or would_cut in shadow mode.",
            ["policy", "outcome"],
            registry=self.registry,
        )
        self.stale = Gauge(
            "safevlm_file_stale",
            "1 while a file's newest version is not in force, or the audit log cannot be written; else 0.",
            ["file"],
            registry=self.registry,
        )
        self.queue_depth = Gauge("safevlm_queue_depth", "Who waits, by what for.", ["queue"], registry=self.registry)
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
        self.model_tokens = Counter("safevlm_tokens", "Tokens of the language model.", ["kind"], registry=self.registry)
        self.verdict_cache = Counter(
            "safevlm_verdict_cache",
            "Verdicts that were known (hit), shared with one under way (joined) or had to be reached (miss).",
            ["outcome"],
            registry=self.registry,
        )
        self.http_requests = Counter(
            "safevlm_http_requests",
            "HTTP requests by endpoint and status; aborted if the connection ended before a reply.",
            ["endpoint", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "safevlm_request_duration_seconds",
            "Seconds from a request's head to the end of its reply, whatever its outcome.",
            ["endpoint", "status"],
            buckets=_LONG_SECONDS,
            registry=self.registry,
        )
        self.rejected = Counter(
            "safevlm_rejected", "Requests that got no verdict, by error code.", ["reason"], registry=self.registry
        )
        self.model_info = Gauge(
            "safevlm_model_info",
            "What is served; always 1.",
            ["checkpoint", "backbone", "device", "dtype"],
            registry=self.registry,
        )

        build = Gauge("safevlm_build_info", "Version of the server; always 1.", ["version"], registry=self.registry)
        build.labels(__version__).set(1)
        ProcessCollector(registry=self.registry)

    def register_sources(self, guard: AsyncGuard, decode_pool: DecodePool, files: Sequence[FileStatus]) -> None:
        """Read the queues and the state of files at each scrape, and say what is served."""
        info = guard.info
        self.queue_depth.labels("guard").set_function(lambda: guard.depth)
        self.queue_depth.labels("decode").set_function(lambda: decode_pool.depth)
        self.queue_depth.labels("generate").set_function(lambda: guard.waiting_replies)
        self.registry.register(_WorkerDeaths(lambda: guard.deaths))
        for file in files:
            self.stale.labels(file.name).set_function(partial(_stale, file))
        self.model_info.labels(info.checkpoint, info.backbone, info.device, info.dtype).set(1)

    def count_http_request(self, record: RequestRecord) -> None:
        """Count an HTTP request that was answered, or whose client disconnected."""
        status = "aborted" if record.status is None else str(record.status)
        self.http_requests.labels(record.endpoint, status).inc()
        shown = status if record.status is None else f"{record.status // 100}xx"
        self.request_seconds.labels(record.endpoint, shown).observe(record.seconds, exemplar=_named(record))

    def record_batch(self, queue: str, size: int) -> None:
        """Some requests go through the model together."""
        self.batch_size.labels(queue).observe(size)

    def record_tokens(self, kind: str, count: int) -> None:
        """Tokens were read or made."""
        self.model_tokens.labels(kind).inc(count)

    def record_cache(self, outcome: str) -> None:
        """A verdict was known, shared or had to be reached."""
        self.verdict_cache.labels(outcome).inc()

    def record_verdict(self, record: RequestRecord, verdict: GuardVerdict) -> None:
        """A request was judged, or refused for want of a verdict; who tells the client so counts the rejection."""
        self.requests.labels(record.endpoint, verdict.verdict.decision.value).inc(exemplar=_named(record))
        self._stage(record, "decode", record.decode_ms + verdict.prepare_ms)
        if not verdict.reused:
            self._stage(record, "guard", verdict.guard_ms)
        self._decided(record.policy or DEFAULT_POLICY, verdict)
        if verdict.assessment is not None:
            found = (verdict.assessment.type, verdict.assessment.level.name) if self._names_risk else _HIDDEN
            self.risk.labels(*found).inc()

    def observe_queue_wait(self, record: RequestRecord, queue_ms: float) -> None:
        """A request is done waiting, for its verdict and for a place among the running replies."""
        self._stage(record, "queue", queue_ms)

    def observe_first_token(self, record: RequestRecord) -> None:
        """The first piece of a reply goes out."""
        self.first_token_seconds.observe(time.perf_counter() - record.started, exemplar=_named(record))

    def record_reply(self, record: RequestRecord, reply: Reply) -> None:
        """A chat is finished."""
        self.observe_queue_wait(record, reply.queue_ms)
        if reply.content is not None:
            self._stage(record, "generate", reply.generate_ms)
            cut = "cut" if reply.finish_reason == "content_filter" else "would_cut" if reply.harmful else "said"
            self.replies.labels(record.policy or DEFAULT_POLICY, cut).inc()

    def render_exposition(self, accept: str = "") -> tuple[bytes, str]:
        """What Prometheus reads, and its media type; OpenMetrics, which has exemplars, where that is accepted."""
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type

    def _decided(self, policy: str, verdict: GuardVerdict) -> None:
        """Count what the policy in force decided, and those beside it; in shadow mode it is one of these itself."""
        effective = verdict.verdict.decision
        if policy not in verdict.others:
            self.policy_decisions.labels(policy, Mode.ENFORCE, effective).inc()
        for name, other in verdict.others.items():
            self.policy_decisions.labels(name, Mode.SHADOW, other.decision).inc()
            if other.decision is not effective:
                self.policy_differences.labels(policy, effective, name, other.decision).inc()

    def _stage(self, record: RequestRecord, stage: str, ms: float) -> None:
        self.stage_seconds.labels(record.endpoint, stage).observe(ms / 1000, exemplar=_named(record))


class _WorkerDeaths(Collector):
    """A counter kept by the engine."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Read it."""
        yield CounterMetricFamily(
            "safevlm_worker_deaths", "How often the model worker died and was restarted.", value=self._count()
        )


def _stale(file: FileStatus) -> float:
    return float(file.complaint is not None)


def _named(record: RequestRecord) -> dict[str, str]:
    """The exemplar of a sample: which request it was, as replies and logs name it."""
    return {"request_id": record.id}
