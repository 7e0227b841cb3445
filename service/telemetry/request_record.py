"""Data of one request for its log line, the audit log and metrics, without any of its content.

Images appear as digests of their bytes; prompts and replies do not appear.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from safety_core.engine.messages import GuardRequest, GuardVerdict, Reply, UnguardedReply
from safety_core.policy.policy import Decision
from service.ingress.request_resources import RequestResources


@dataclass(slots=True, kw_only=True)
class RequestRecord(RequestResources):
    """Data of one request, and the resources that it holds."""

    endpoint: str
    """Name of the path in metrics."""

    id: str = field(default_factory=lambda: f"guard-{uuid4().hex}")
    """The server's unique identifier of the request: in the reply, in the audit log and in exemplars."""

    caller_id: str | None = None
    """Valid ``X-Request-Id`` of the caller; two requests may have the same."""

    traceparent: str | None = None
    """Valid W3C trace context of the caller."""

    started: float = field(default_factory=time.perf_counter)
    """Time of arrival, by ``time.perf_counter``."""

    has_log_line: bool = False
    """Whether the request always gets its own log line, because it may reach the model."""

    key: str | None = None
    """Name of the API key."""

    status: int | None = None
    """HTTP status."""

    error: str | None = None
    """Code of the error that the request ended in."""

    policy: str | None = None
    """Name of the policy that decides."""

    policy_version: str | None = None
    """Version of the file that contains the policy."""

    images: tuple[str, ...] = ()
    """SHA-256 of the bytes of each image."""

    verdicts: list[GuardVerdict] = field(default_factory=list)
    """Verdicts; several for a moderation of several texts."""

    decode_ms: float = 0.0
    """Milliseconds for fetching and decoding the images."""

    finish_reason: str | None = None
    """Why the reply ended."""

    completion_tokens: int = 0
    """Tokens that were generated."""

    generate_ms: float = 0.0
    """Milliseconds for generating them."""

    harmful_reply: bool = False
    """Whether a reply became harmful while it was generated."""

    is_unguarded: bool = False
    """Whether the bare language model answers, without the guard."""

    audited: asyncio.Future[None] | None = None
    """Done once the decision is written to the audit log; None before it is queued."""

    @property
    def request_id(self) -> str:
        """Value of ``X-Request-Id`` in the reply and in log lines: the caller's identifier, or else the server's."""
        return self.caller_id or self.id

    @property
    def seconds(self) -> float:
        """Seconds since the arrival."""
        return time.perf_counter() - self.started

    def set_policy(self, policy: str, version: str) -> None:
        """Record the policy that decides."""
        self.policy, self.policy_version = policy, version

    def add_images(self, request: GuardRequest) -> None:
        """Record the digests of the images."""
        self.images += tuple(image.sha256 for image in request.images if image.sha256 not in self.images)

    def add_verdict(self, verdict: GuardVerdict) -> None:
        """Record a verdict."""
        self.verdicts.append(verdict)

    def add_reply(self, reply: Reply) -> None:
        """Record a reply; if there are several, the slowest counts."""
        self.finish_reason = reply.finish_reason
        self.completion_tokens += reply.completion_tokens
        self.harmful_reply |= reply.harmful
        self.generate_ms = max(self.generate_ms, reply.generate_ms)

    def add_unguarded_reply(self, reply: UnguardedReply) -> None:
        """Record a reply of the bare language model."""
        self.finish_reason, self.completion_tokens = reply.finish_reason, reply.completion_tokens
        self.generate_ms = reply.generate_ms

    @property
    def severest_verdict(self) -> GuardVerdict | None:
        """The most severe verdict; None if there is none."""
        return max(self.verdicts, key=lambda verdict: verdict.verdict.severity_key, default=None)

    @property
    def shadow_decisions(self) -> dict[str, str]:
        """Decisions of policies in shadow mode; the most severe decision if there are several verdicts."""
        severest: dict[str, Decision] = {}
        for verdict in self.verdicts:
            for name, other in verdict.others.items():
                severest[name] = max(severest.get(name, other.decision), other.decision, key=lambda one: one.severity)
        return {name: decision.value for name, decision in severest.items()}

    def build_log_fields(self) -> dict[str, Any]:
        """Build the fields of the log line."""
        fields: dict[str, Any] = {"request_id": self.request_id, "endpoint": self.endpoint, "status": self.status}
        fields |= {"ms": round(1000 * self.seconds, 1)}
        fields |= {"id": self.id} if self.caller_id else {}
        fields |= {"traceparent": self.traceparent} if self.traceparent else {}
        fields |= {"key": self.key} if self.key else {}
        fields |= {"error": self.error} if self.error else {}
        fields |= {"images": list(self.images)} if self.images else {}
        fields |= {"unguarded": True} if self.is_unguarded else {}
        verdict = self.severest_verdict
        if verdict is not None:
            fields |= {"decision": verdict.verdict.decision.value}
            if verdict.assessment is not None:
                fields |= {"risk_type": verdict.assessment.type, "risk_level": verdict.assessment.level.index}
            fields |= {"reason": verdict.verdict.reason} if verdict.verdict.reason else {}
            fields |= {"images_scanned": verdict.images_scanned}
            fields |= {"policy": self.policy, "policy_version": self.policy_version} if self.policy else {}
            fields |= {"others": self.shadow_decisions} if self.shadow_decisions else {}
            fields["timings"] = {
                "decode_ms": round(self.decode_ms + verdict.prepare_ms, 1),
                "queue_ms": round(verdict.queue_ms, 1),
                "guard_ms": round(verdict.guard_ms, 1),
            }
        if self.finish_reason is not None:
            fields |= {"harmful_reply": True} if self.harmful_reply else {}
            fields |= {"finish_reason": self.finish_reason, "completion_tokens": self.completion_tokens}
            fields.setdefault("timings", {})["generate_ms"] = round(self.generate_ms, 1)
        return fields
