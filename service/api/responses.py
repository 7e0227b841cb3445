"""Builds the JSON of replies from the engine's results. The only module that applies ``expose_risk``."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import Depends

from safety_core.engine.guard_info import Fallback, GuardInfo
from safety_core.engine.messages import Delta, GuardVerdict, Reply
from safety_core.scores import Assessment
from service.api.schemas.replies import (
    AssessmentEvent,
    AssessmentOut,
    ChatReply,
    ChatTimings,
    ClassifyReply,
    ClassifyTimings,
    FallbackOut,
    LetteringLineOut,
    LetteringOut,
    ModelList,
    ModelOut,
    UsageOut,
)
from service.pipeline import Context
from service.telemetry.request_record import RequestRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseBuilder:
    """Builds the replies to one request."""

    model: str
    """Name of the checkpoint."""

    expose_risk: bool
    """Whether clients see scores and timings."""

    record: RequestRecord
    """The request, with its identifier and the time that decoding took."""

    @property
    def id(self) -> str:
        """Identifier of the request."""
        return self.record.id

    def build_chat(self, reply: Reply) -> dict[str, Any]:
        """Build the reply of ``/v1/chat``."""
        verdict = reply.verdict
        exposed: dict[str, Any] = {}
        if self.expose_risk:
            exposed["timings"] = self._build_chat_timings(reply)
        return ChatReply(
            id=self.id,
            model=self.model,
            decision=verdict.verdict.decision.value,
            content=reply.content,
            refusal=reply.refusal,
            finish_reason=reply.finish_reason,
            **self._build_risk(verdict),
            images_received=verdict.images_received,
            images_scanned=verdict.images_scanned,
            usage=UsageOut(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens),
            **exposed,
        ).dump()

    def build_classification(self, verdict: GuardVerdict, *, explain: bool = False) -> dict[str, Any]:
        """Build the reply of ``/v1/classify``.

        Args:
            verdict: the verdict.
            explain: whether the client asked for an explanation, and so sees the lettering that was read.
        """
        exposed: dict[str, Any] = {}
        if self.expose_risk:
            if explain and verdict.lettering:
                exposed["lettering"] = _build_lettering(verdict)
            exposed["images"] = [_build_assessment(image) for image in verdict.per_image]
            exposed["timings"] = ClassifyTimings(**self._measure_stages(verdict, queue_ms=verdict.queue_ms))
        return ClassifyReply(
            id=self.id,
            model=self.model,
            flagged=verdict.verdict.flagged,
            decision=verdict.verdict.decision.value,
            **self._build_risk(verdict),
            images_received=verdict.images_received,
            images_scanned=verdict.images_scanned,
            **exposed,
        ).dump()

    def build_assessment(self, verdict: GuardVerdict) -> dict[str, Any]:
        """Build the first event of a stream."""
        return AssessmentEvent(id=self.id, decision=verdict.verdict.decision.value, **self._build_risk(verdict)).dump()

    def build_delta(self, delta: Delta) -> dict[str, Any]:
        """Build a ``DeltaEvent`` as a plain object, because a stream has one per token and pydantic would be slow."""
        return {"refusal": delta.text} if delta.refusal else {"content": delta.text}

    def build_guard_fields(self, verdict: GuardVerdict, reply: Reply | None = None) -> dict[str, Any]:
        """Build the guard's result as one object, for protocols without fields for it."""
        fields: dict[str, Any] = {
            "decision": verdict.verdict.decision.value,
            "images_received": verdict.images_received,
            "images_scanned": verdict.images_scanned,
            **self._build_risk(verdict),
        }
        if verdict.dropped_messages:
            fields["dropped_messages"] = list(verdict.dropped_messages)
        if self.expose_risk and reply is not None:
            fields["timings"] = self._build_chat_timings(reply)
        return fields

    def _build_chat_timings(self, reply: Reply) -> ChatTimings:
        times = self._measure_stages(reply.verdict, queue_ms=reply.queue_ms)
        return ChatTimings(**times, generate_ms=round(reply.generate_ms, 3))

    def _build_risk(self, verdict: GuardVerdict) -> dict[str, Any]:
        if verdict.assessment is None or not self.expose_risk:
            return {}
        return {"risk": _build_assessment(verdict.assessment)}

    def _measure_stages(self, verdict: GuardVerdict, *, queue_ms: float) -> dict[str, float]:
        decode_ms = self.record.decode_ms + verdict.prepare_ms
        times = {"decode_ms": decode_ms, "queue_ms": queue_ms, "guard_ms": verdict.guard_ms}
        return {name: round(value, 3) for name, value in times.items()}


async def provide_response_builder(context: Context) -> ResponseBuilder:
    """Create the response builder of a request."""
    return ResponseBuilder(
        model=context.service.guard.info.checkpoint,
        expose_risk=context.settings.expose_risk,
        record=context.record,
    )


Responses = Annotated[ResponseBuilder, Depends(provide_response_builder)]
"""Type of the parameter by which a route receives its response builder."""


def build_model_list(info: GuardInfo, *, created: int) -> dict[str, Any]:
    """Build the list of the one model that is served."""
    return ModelList(object="list", data=[build_model(info, created=created)]).dump()


def build_model(info: GuardInfo, *, created: int) -> ModelOut:
    """Build the description of the model that is served.

    Args:
        info: the guard.
        created: creation time of the checkpoint, in seconds since 1970.
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
        **build_fallback(info.fallback),
    )


def build_fallback(fallback: Fallback | None) -> dict[str, Any]:
    """Build the field that names the configured checkpoint, if another one is served; otherwise no field."""
    return {} if fallback is None else {"fallback": FallbackOut(wanted=fallback.wanted, reason=fallback.reason)}


def _build_lettering(verdict: GuardVerdict) -> list[LetteringOut]:
    return [
        LetteringOut(
            image=index,
            lines=[
                LetteringLineOut(text=line.text, confidence=round(line.confidence, 4), box=line.box) for line in lines
            ],
        )
        for index, lines in enumerate(verdict.lettering)
    ]


def _build_assessment(assessment: Assessment) -> AssessmentOut:
    fields = asdict(assessment)
    if assessment.heatmap is None:
        del fields["heatmap"]
    if assessment.surfaces.lettering is None:
        del fields["surfaces"]["lettering"]
    if assessment.novelty is None:
        del fields["novelty"]
    else:
        fields["novelty"]["score"] = assessment.novelty.score
    return AssessmentOut.model_validate(fields)
