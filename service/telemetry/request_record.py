"""What is known of one request while it is served: for its log line, the audit log and metrics. Nothing of its content.

Pictures appear as digests of their bytes; prompts and replies not at all.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from safety_core.engine.messages import GuardRequest, GuardVerdict, Reply
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
    """When it came, by ``time.perf_counter``."""

    has_log_line: bool = False
    """Whether it always gets its own log line, because it reached a handler that runs the model."""

    key: str | None = None
    """Name of the API key."""

    status: int | None = None
    """HTTP status."""

    error: str | None = None
    """Code of the error that it ended in."""

    policy: str | None = None
    """Name of the policy that decides."""

    policy_version: str | None = None
    """Version of the file that it stands in."""

    images: tuple[str, ...] = ()
    """SHA-256 of each picture's bytes."""

    verdicts: list[GuardVerdict] = field(default_factory=list)
    """What was decided; several for a moderation of several texts."""

    decode_ms: float = 0.0
    """Milliseconds that decoding took."""

    finish_reason: str | None = None
    """How the reply ended."""

    completion_tokens: int = 0
    """Tokens that were made."""

    generate_ms: float = 0.0
    """Milliseconds that making them took."""

    harmful_reply: bool = False
    """Whether a reply turned harmful on its way."""

    audited: asyncio.Future[None] | None = None
    """Done once the decision stands in the audit log."""

    @property
    def request_id(self) -> str:
        """The value of ``X-Request-Id`` in the reply and in log lines: the caller's identifier, or else ours."""
        return self.caller_id or self.id

    @property
    def seconds(self) -> float:
        """Seconds since it arrived."""
        return time.perf_counter() - self.started

    def set_policy(self, policy: str, version: str) -> None:
        """It is known which policy decides."""
        self.policy, self.policy_version = policy, version

    def add_images(self, request: GuardRequest) -> None:
        """Pictures are known."""
        self.images += tuple(image.sha256 for image in request.images if image.sha256 not in self.images)

    def add_verdict(self, verdict: GuardVerdict) -> None:
        """A verdict was reached."""
        self.verdicts.append(verdict)

    def add_reply(self, reply: Reply) -> None:
        """A reply was made; of several the slowest counts."""
        self.finish_reason = reply.finish_reason
        self.completion_tokens += reply.completion_tokens
        self.harmful_reply |= reply.harmful
        self.generate_ms = max(self.generate_ms, reply.generate_ms)

    @property
    def most_severe(self) -> GuardVerdict | None:
        """The verdict that counts: of several the worst."""
        return max(self.verdicts, key=lambda one: one.verdict.severity_key, default=None)

    @property
    def others(self) -> dict[str, str]:
        """What policies without consequences decided; of several verdicts the worst."""
        worst: dict[str, Decision] = {}
        for found in self.verdicts:
            for name, other in found.others.items():
                worst[name] = max(worst.get(name, other.decision), other.decision, key=lambda one: one.severity)
        return {name: decision.value for name, decision in worst.items()}

    def build_log_fields(self) -> dict[str, Any]:
        """What its log line says."""
        said: dict[str, Any] = {"request_id": self.request_id, "endpoint": self.endpoint, "status": self.status}
        said |= {"ms": round(1000 * self.seconds, 1)}
        said |= {"id": self.id} if self.caller_id else {}
        said |= {"traceparent": self.traceparent} if self.traceparent else {}
        said |= {"key": self.key} if self.key else {}
        said |= {"error": self.error} if self.error else {}
        said |= {"images": list(self.images)} if self.images else {}
        found = self.most_severe
        if found is not None:
            said |= {"decision": found.verdict.decision.value}
            if found.assessment is not None:
                said |= {"risk_type": found.assessment.type, "risk_level": found.assessment.level.index}
            said |= {"reason": found.verdict.reason} if found.verdict.reason else {}
            said |= {"images_scanned": found.images_scanned}
            said |= {"policy": self.policy, "policy_version": self.policy_version} if self.policy else {}
            said |= {"others": self.others} if self.others else {}
            said["timings"] = {
                "decode_ms": round(self.decode_ms + found.prepare_ms, 1),
                "queue_ms": round(found.queue_ms, 1),
                "guard_ms": round(found.guard_ms, 1),
            }
        if self.finish_reason is not None:
            said |= {"harmful_reply": True} if self.harmful_reply else {}
            said |= {"finish_reason": self.finish_reason, "completion_tokens": self.completion_tokens}
            said.setdefault("timings", {})["generate_ms"] = round(self.generate_ms, 1)
        return said
