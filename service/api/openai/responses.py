"""What the engine says, as the OpenAI-compatible paths send it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from safety_core.engine.messages import GuardInfo, GuardVerdict, Reply
from service.api.openai.schemas import (
    ChoiceOut,
    ChunkChoice,
    Completion,
    CompletionChunk,
    CompletionUsage,
    DeltaOut,
    GuardOut,
    MessageOut,
    Moderation,
    ModerationResult,
)
from service.api.responses import View
from service.api.schemas import RefusalIn

OPENAI_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""The keys that clients of the protocol expect."""

SAME_AS = {"insults_bullying": "harassment", "fairness": "hate", "illegal": "illicit"}
"""Our types that mean what one of those keys means. The other keys are always false: nothing here looks for them."""


_FIELDS_OF_REFUSAL: dict[RefusalIn, tuple[str, ...]] = {
    "refusal": ("refusal",),
    "content": ("content",),
    "both": ("content", "refusal"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionView:
    """How one completion is told to its client."""

    view: View
    """Name of the request, and what clients may see."""

    created: int
    """Seconds since 1970."""

    refusal_in: RefusalIn
    """Field of a message that carries a refusal."""

    usage_in_chunks: bool = False
    """Whether every chunk has a field for the usage, which the last one fills."""

    @classmethod
    def of(cls, view: View, *, refusal_in: RefusalIn, usage_in_chunks: bool = False) -> "CompletionView":
        """A view of a completion that begins now."""
        return cls(view=view, created=int(time.time()), refusal_in=refusal_in, usage_in_chunks=usage_in_chunks)

    def whole(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """A finished completion, one reply for each choice."""
        return Completion(
            id=self.view.id,
            object="chat.completion",
            created=self.created,
            model=self.view.model,
            choices=[
                ChoiceOut(
                    index=index,
                    message=self._message(reply),
                    finish_reason=reply.finish_reason,
                    logprobs=None,
                )
                for index, reply in enumerate(replies)
            ],
            usage=_usage(replies),
            safevlm=self._guard(replies[0].verdict, replies[0]),
        ).sent()

    def opened(self, index: int, verdict: GuardVerdict) -> dict[str, Any]:
        """The first chunk of a choice, before any word; the very first one says what the guard found."""
        has_content = verdict.refusal is None or self.refusal_in != "refusal"
        delta = DeltaOut(role="assistant", content="") if has_content else DeltaOut(role="assistant")
        return self._chunk(index, delta, guard=self._guard(verdict) if index == 0 else None)

    def said(self, index: int, text: str, *, refusal: bool) -> dict[str, Any]:
        """A piece of a reply, or else of the refusal."""
        fields = _FIELDS_OF_REFUSAL[self.refusal_in] if refusal else ("content",)
        return self._chunk(index, DeltaOut.model_validate(dict.fromkeys(fields, text)))

    def closed(self, index: int, reply: Reply) -> dict[str, Any]:
        """The last chunk of a choice."""
        return self._chunk(index, DeltaOut(), finish_reason=reply.finish_reason)

    def usage(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """The chunk behind all choices, for clients that asked for it."""
        return self._told(choices=[], usage=_usage(replies))

    def _message(self, reply: Reply) -> MessageOut:
        if reply.refusal is None:
            return MessageOut(role="assistant", content=reply.content, refusal=None)
        fields = dict.fromkeys(_FIELDS_OF_REFUSAL[self.refusal_in], reply.refusal)
        return MessageOut(role="assistant", content=fields.get("content"), refusal=fields.get("refusal"))

    def _chunk(
        self, index: int, delta: DeltaOut, *, finish_reason: str | None = None, guard: GuardOut | None = None
    ) -> dict[str, Any]:
        choice = ChunkChoice(index=index, delta=delta, finish_reason=finish_reason, logprobs=None)
        fields: dict[str, Any] = {} if guard is None else {"safevlm": guard}
        if self.usage_in_chunks:
            fields["usage"] = None
        return self._told(choices=[choice], **fields)

    def _told(self, **fields: Any) -> dict[str, Any]:
        return CompletionChunk(
            id=self.view.id,
            object="chat.completion.chunk",
            created=self.created,
            model=self.view.model,
            **fields,
        ).sent()

    def _guard(self, verdict: GuardVerdict, reply: Reply | None = None) -> GuardOut:
        return GuardOut(**self.view.guard(verdict, reply))


def moderation(view: View, info: GuardInfo, verdicts: Sequence[GuardVerdict]) -> dict[str, Any]:
    """Reply of ``/v1/moderations``, one verdict for each input."""
    return Moderation(
        id=view.id, model=view.model, results=[_moderated(view, info, verdict) for verdict in verdicts]
    ).sent()


def _moderated(view: View, info: GuardInfo, verdict: GuardVerdict) -> ModerationResult:
    risky = [name for name in info.taxonomy.types if name != info.taxonomy.safe_type]
    scores = {} if verdict.assessment is None else verdict.assessment.type_scores
    meant = {name: [name, SAME_AS[name]] if name in SAME_AS else [name] for name in risky}
    flagged = dict.fromkeys(OPENAI_CATEGORIES, False)
    probable = dict.fromkeys(OPENAI_CATEGORIES, 0.0)
    applied: dict[str, list[str]] = {key: [] for key in OPENAI_CATEGORIES}
    kinds = _kinds(verdict)
    for name, keys in meant.items():
        for key in keys:
            # Where no risk is told, all types say what the decision says, and none of them which it was about.
            flagged[key] = verdict.verdict.flagged and (verdict.verdict.type == name or not view.expose_risk)
            probable[key] = scores.get(name, 0.0) if view.expose_risk else float(flagged[key])
            applied[key] = kinds
    return ModerationResult(
        flagged=verdict.verdict.flagged,
        categories=flagged,
        category_scores=probable,
        category_applied_input_types=applied,
        safevlm=GuardOut(**view.guard(verdict)),
    )


def _kinds(verdict: GuardVerdict) -> list[str]:
    """What was judged: texts, pictures, or both."""
    text = verdict.pair is not None and verdict.pair.text is not None
    return [*(["text"] if text else []), *(["image"] if verdict.images_scanned else [])]


def _usage(replies: Sequence[Reply]) -> CompletionUsage:
    read = max(reply.prompt_tokens for reply in replies)
    made = sum(reply.completion_tokens for reply in replies)
    return CompletionUsage(prompt_tokens=read, completion_tokens=made, total_tokens=read + made)
