"""What the engine says, as the schemas send it. The one place that knows what ``expose_risk`` hides."""

from dataclasses import asdict, dataclass
from typing import Any

from safety_core.engine.messages import Delta, GuardInfo, GuardVerdict, Reply
from safety_core.scores import Assessment
from service.api.schemas import (
    AssessmentEvent,
    AssessmentOut,
    ChatReply,
    ChatTimings,
    ClassifyReply,
    ClassifyTimings,
    ModelList,
    ModelOut,
    UsageOut,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one request is told to its client."""

    model: str
    """Name of the checkpoint."""

    expose_risk: bool
    """Whether scores and timings are told."""

    decode_ms: float
    """Milliseconds that decoding took."""

    id: str
    """Name of the request."""

    def chat(self, reply: Reply) -> dict[str, Any]:
        """A finished chat."""
        verdict = reply.verdict
        exposed: dict[str, Any] = {}
        if self.expose_risk:
            exposed["timings"] = self._chat_timings(reply)
        return ChatReply(
            id=self.id,
            model=self.model,
            decision=verdict.verdict.decision.value,
            content=reply.content,
            refusal=reply.refusal,
            finish_reason=reply.finish_reason,
            **self._risk(verdict),
            images_received=verdict.images_received,
            images_scanned=verdict.images_scanned,
            usage=UsageOut(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens),
            **exposed,
        ).sent()

    def classification(self, verdict: GuardVerdict) -> dict[str, Any]:
        """A classification."""
        exposed: dict[str, Any] = {}
        if self.expose_risk:
            exposed["images"] = [_assessment(image) for image in verdict.per_image]
            exposed["timings"] = ClassifyTimings(**self._times(verdict, queue_ms=verdict.queue_ms))
        return ClassifyReply(
            id=self.id,
            model=self.model,
            flagged=verdict.verdict.flagged,
            decision=verdict.verdict.decision.value,
            **self._risk(verdict),
            images_received=verdict.images_received,
            images_scanned=verdict.images_scanned,
            **exposed,
        ).sent()

    def assessment(self, verdict: GuardVerdict) -> dict[str, Any]:
        """The first event of a stream."""
        return AssessmentEvent(id=self.id, decision=verdict.verdict.decision.value, **self._risk(verdict)).sent()

    def delta(self, delta: Delta) -> dict[str, Any]:
        """A piece of a stream, as ``DeltaEvent`` describes it; by hand, since there is one for every token."""
        return {"refusal": delta.text} if delta.refusal else {"content": delta.text}

    def guard(self, verdict: GuardVerdict, reply: Reply | None = None) -> dict[str, Any]:
        """What the guard found, for protocols that have no place of their own for it."""
        told: dict[str, Any] = {
            "decision": verdict.verdict.decision.value,
            "images_received": verdict.images_received,
            "images_scanned": verdict.images_scanned,
            **self._risk(verdict),
        }
        if verdict.dropped_messages:
            told["dropped_messages"] = list(verdict.dropped_messages)
        if self.expose_risk and reply is not None:
            told["timings"] = self._chat_timings(reply)
        return told

    def _chat_timings(self, reply: Reply) -> ChatTimings:
        times = self._times(reply.verdict, queue_ms=reply.queue_ms)
        return ChatTimings(**times, generate_ms=round(reply.generate_ms, 3))

    def _risk(self, verdict: GuardVerdict) -> dict[str, Any]:
        if verdict.assessment is None or not self.expose_risk:
            return {}
        return {"risk": _assessment(verdict.assessment)}

    def _times(self, verdict: GuardVerdict, *, queue_ms: float) -> dict[str, float]:
        decode_ms = self.decode_ms + verdict.prepare_ms
        times = {"decode_ms": decode_ms, "queue_ms": queue_ms, "guard_ms": verdict.guard_ms}
        return {name: round(value, 3) for name, value in times.items()}


def model_list(info: GuardInfo, *, created: int) -> dict[str, Any]:
    """What is served, as a list of one model."""
    return ModelList(object="list", data=[model_out(info, created=created)]).sent()


def model_out(info: GuardInfo, *, created: int) -> ModelOut:
    """What is served.

    Args:
        info: of the guard.
        created: when the checkpoint was made, in seconds since 1970.
    """
    return ModelOut(
        id=info.checkpoint,
        object="model",
        created=created,
        owned_by="safevlm",
        backbone=info.backbone,
        risk_types=list(info.taxonomy.types),
        risk_levels=list(info.taxonomy.levels),
        description=info.description,
    )


def _assessment(assessment: Assessment) -> AssessmentOut:
    fields = asdict(assessment)
    if assessment.heatmap is None:
        del fields["heatmap"]
    return AssessmentOut.model_validate(fields)
