"""Metrics for Prometheus. Dashboards depend on their names; labels have values from closed lists only."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from safety_core import __version__
from safety_core.engine.messages import GuardVerdict, Reply, UnguardedReply
from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.policy.named_policies import DEFAULT_POLICY, Mode
from safety_core.scores import Novelty
from service.hot_reload import FileStatus
from service.ingress.decode_pool import DecodePool
from service.telemetry.request_record import RequestRecord

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_LONG_SECONDS = (*_SECONDS, 300, 600)
_HIDDEN = ("hidden", "hidden")
_NOVELTIES = (0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 1)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Metrics of one server, in a registry of its own, so that two servers in one process do not mix.

    Args:
        names_risk: whether requests are counted by risk type and level, and their novelty is observed; otherwise type
            and level are ``hidden``.
    """

    def __init__(self, *, names_risk: bool = True) -> None:
        self._names_risk = names_risk
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "safevlm_requests", "Requests that got a verdict.", ["endpoint", "decision"], registry=self.registry
        )
        self.stage_seconds = Histogram(
            "safevlm_stage_seconds",
            "Duration of each stage of a request, in seconds.",
            ["endpoint", "stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.first_token_seconds = Histogram(
            "safevlm_time_to_first_token_seconds",
            "Seconds from the arrival of a request to the first text of the reply.",
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
            "Decisions of each policy, in force (enforce) or only recorded (shadow).",
            ["policy", "mode", "decision"],
            registry=self.registry,
        )
        self.policy_differences = Counter(
            "safevlm_policy_differences",
            "Requests about which a shadow policy decided differently from the policy in force.",
            ["policy", "decision", "other", "other_decision"],
            registry=self.registry,
        )
        self.replies = Counter(
            "safevlm_replies",
            "Generated replies by outcome: said (sent in full), cut, or would_cut in shadow mode.",
            ["policy", "outcome"],
            registry=self.registry,
        )
        self.unguarded_replies = Counter(
            "safevlm_unguarded_replies",
            "Replies without the guard, for comparison on the playground, by finish reason: stop or length.",
            ["finish_reason"],
            registry=self.registry,
        )
        self.stale = Gauge(
            "safevlm_file_stale",
            "1 while a file's newest version is not in force, or the audit log cannot be written; else 0.",
            ["file"],
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "safevlm_queue_depth",
            "Requests that wait or are being served, by queue.",
            ["queue"],
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "safevlm_batch_size",
            "Requests that the model processes in one batch.",
            ["queue"],
            buckets=_SIZES,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "safevlm_in_flight", "Requests that are being received, wait or run.", ["endpoint"], registry=self.registry
        )
        self.model_tokens = Counter(
            "safevlm_tokens", "Tokens of the language model: prompt or completion.", ["kind"], registry=self.registry
        )
        self.verdict_cache = Counter(
            "safevlm_verdict_cache",
            "Verdicts by source: the cache (hit), an identical request in progress (joined), or the model (miss).",
            ["outcome"],
            registry=self.registry,
        )
        self.pictures_read = Counter(
            "safevlm_pictures_read",
            "Pictures whose lettering was read, by outcome: none, read, or without a verdict incomplete or failed.",
            ["outcome"],
            registry=self.registry,
        )
        self.reading_seconds = Histogram(
            "safevlm_reading_seconds",
            "Seconds of reading the lettering of one picture.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.surfaces = Counter(
            "safevlm_deciding_surface",
            "Verdicts by the input that determined them: image, text, joint or lettering.",
            ["surface", "decision"],
            registry=self.registry,
        )
        self.novelty = Histogram(
            "safevlm_novelty",
            "Novelty of requests by input, text or image: how far it lies outside of what the model was trained on.",
            ["input"],
            buckets=_NOVELTIES,
            registry=self.registry,
        )
        self.http_requests = Counter(
            "safevlm_http_requests",
            "HTTP requests by endpoint and status; aborted if the connection was closed before a reply.",
            ["endpoint", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "safevlm_request_duration_seconds",
            "Seconds from the head of a request to the end of its reply, for every outcome.",
            ["endpoint", "status"],
            buckets=_LONG_SECONDS,
            registry=self.registry,
        )
        self.rejected = Counter(
            "safevlm_rejected", "Requests that ended in an error, by error code.", ["reason"], registry=self.registry
        )
        self.model_info = Gauge(
            "safevlm_model_info",
            "The served model; always 1.",
            ["checkpoint", "backbone", "device", "dtype"],
            registry=self.registry,
        )

        build = Gauge("safevlm_build_info", "Version of the server; always 1.", ["version"], registry=self.registry)
        build.labels(__version__).set(1)
        ProcessCollector(registry=self.registry)

    def register_sources(self, guard: AsyncGuard, decode_pool: DecodePool, files: Sequence[FileStatus]) -> None:
        """Register the values that are read at each scrape (queues, status of files), and set the served model."""
        info = guard.info
        self.queue_depth.labels("guard").set_function(lambda: guard.depth)
        self.queue_depth.labels("decode").set_function(lambda: decode_pool.depth)
        self.queue_depth.labels("generate").set_function(lambda: guard.waiting_replies)
        self.registry.register(_WorkerDeaths(lambda: guard.deaths))
        for file in files:
            self.stale.labels(file.name).set_function(partial(_measure_staleness, file))
        self.model_info.labels(info.checkpoint, info.backbone, info.device, info.dtype).set(1)

    def count_http_request(self, record: RequestRecord) -> None:
        """Count an HTTP request that was answered, or whose client has disconnected."""
        status = "aborted" if record.status is None else str(record.status)
        self.http_requests.labels(record.endpoint, status).inc()
        status_class = status if record.status is None else f"{record.status // 100}xx"
        self.request_seconds.labels(record.endpoint, status_class).observe(
            record.seconds, exemplar=_create_exemplar(record)
        )

    def record_batch(self, queue: str, size: int) -> None:
        """Observe the size of a batch."""
        self.batch_size.labels(queue).observe(size)

    def record_tokens(self, kind: str, count: int) -> None:
        """Count tokens."""
        self.model_tokens.labels(kind).inc(count)

    def record_cache(self, outcome: str) -> None:
        """Count a lookup in the verdict cache."""
        self.verdict_cache.labels(outcome).inc()

    def record_reading(self, outcome: str, seconds: float) -> None:
        """Record that the lettering of a picture was read."""
        self.pictures_read.labels(outcome).inc()
        self.reading_seconds.observe(seconds)

    def record_verdict(self, record: RequestRecord, verdict: GuardVerdict) -> None:
        """Record a verdict, or a refusal without one, which the handler of the request counts as rejected as well."""
        self.requests.labels(record.endpoint, verdict.verdict.decision.value).inc(exemplar=_create_exemplar(record))
        self._observe_stage(record, "decode", record.decode_ms + verdict.prepare_ms)
        if not verdict.reused:
            self._observe_stage(record, "guard", verdict.guard_ms)
        self._count_decisions(record.policy or DEFAULT_POLICY, verdict)
        if verdict.assessment is not None:
            labels = (verdict.assessment.type, verdict.assessment.level.name) if self._names_risk else _HIDDEN
            self.risk.labels(*labels).inc()
            if self._names_risk:
                self._observe_novelty(verdict.assessment.novelty)
        if verdict.surface is not None:
            surface = verdict.surface if self._names_risk else _HIDDEN[0]
            self.surfaces.labels(surface, verdict.verdict.decision.value).inc()

    def _observe_novelty(self, novelty: Novelty | None) -> None:
        if novelty is None:
            return
        for name, score in (("text", novelty.text), ("image", novelty.image)):
            if score is not None:
                self.novelty.labels(name).observe(score)

    def observe_queue_wait(self, record: RequestRecord, queue_ms: float) -> None:
        """Observe the time for which a request has waited for its verdict or for a reply slot."""
        self._observe_stage(record, "queue", queue_ms)

    def observe_first_token(self, record: RequestRecord) -> None:
        """Observe the time until the first text of a reply."""
        self.first_token_seconds.observe(time.perf_counter() - record.started, exemplar=_create_exemplar(record))

    def record_reply(self, record: RequestRecord, reply: Reply) -> None:
        """Record a reply."""
        self.observe_queue_wait(record, reply.queue_ms)
        if reply.content is not None:
            self._observe_stage(record, "generate", reply.generate_ms)
            cut = "cut" if reply.finish_reason == "content_filter" else "would_cut" if reply.harmful else "said"
            self.replies.labels(record.policy or DEFAULT_POLICY, cut).inc()

    def record_unguarded_reply(self, record: RequestRecord, reply: UnguardedReply) -> None:
        """Record a reply of the bare language model."""
        self.unguarded_replies.labels(reply.finish_reason).inc()
        self.observe_queue_wait(record, reply.queue_ms)
        self._observe_stage(record, "generate", reply.generate_ms)

    def render_exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Render the metrics; returns text and media type. OpenMetrics, with exemplars, if the client accepts it."""
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type

    def _count_decisions(self, policy: str, verdict: GuardVerdict) -> None:
        """Count the decisions of the policy in force and of shadow policies; both can be the same policy."""
        effective = verdict.verdict.decision
        if policy not in verdict.others:
            self.policy_decisions.labels(policy, Mode.ENFORCE, effective).inc()
        for name, other in verdict.others.items():
            self.policy_decisions.labels(name, Mode.SHADOW, other.decision).inc()
            if other.decision is not effective:
                self.policy_differences.labels(policy, effective, name, other.decision).inc()

    def _observe_stage(self, record: RequestRecord, stage: str, ms: float) -> None:
        self.stage_seconds.labels(record.endpoint, stage).observe(ms / 1000, exemplar=_create_exemplar(record))


class _WorkerDeaths(Collector):
    """Exports the engine's counter of worker restarts."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Read the counter."""
        yield CounterMetricFamily(
            "safevlm_worker_deaths", "Restarts of the model worker after it died.", value=self._count()
        )


def _measure_staleness(file: FileStatus) -> float:
    return float(file.failure is not None)


def _create_exemplar(record: RequestRecord) -> dict[str, str]:
    """Create the exemplar of a sample: the identifier of the request, as in replies and logs."""
    return {"request_id": record.id}
