"""Builds the JSON of replies on the OpenAI-compatible paths."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from safety_core.engine.guard_info import GuardInfo
from safety_core.engine.messages import GuardVerdict, Reply
from service.api.openai.schemas.replies import (
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
from service.api.responses import ResponseBuilder
from service.settings.values import RefusalIn

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
"""Category names that clients of the protocol expect."""

SAME_AS = {"insults_bullying": "harassment", "fairness": "hate", "illegal": "illicit"}
"""Our risk types with the meaning of one of OpenAI's categories. The other categories are always false, because the
guard does not detect them."""


_FIELDS_OF_REFUSAL: dict[RefusalIn, tuple[str, ...]] = {
    "refusal": ("refusal",),
    "content": ("content",),
    "both": ("content", "refusal"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionBuilder:
    """Builds the reply, or the chunks of the reply, to one request for a completion."""

    responses: ResponseBuilder
    """Builder of the fields that all protocols share."""

    created: int
    """Seconds since 1970."""

    refusal_in: RefusalIn
    """Field of a message that carries a refusal."""

    usage_in_chunks: bool = False
    """Whether every chunk has a usage field; only the last chunk sets it."""

    @classmethod
    def start(
        cls, responses: ResponseBuilder, *, refusal_in: RefusalIn, usage_in_chunks: bool = False
    ) -> "CompletionBuilder":
        """Create the builder of a completion, with the current time as its creation time."""
        now = int(time.time())
        return cls(responses=responses, created=now, refusal_in=refusal_in, usage_in_chunks=usage_in_chunks)

    def build_completion(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """Build the whole completion from the replies of all choices."""
        return Completion(
            id=self.responses.id,
            object="chat.completion",
            created=self.created,
            model=self.responses.model,
            choices=[
                ChoiceOut(
                    index=index,
                    message=self._build_message(reply),
                    finish_reason=reply.finish_reason,
                    logprobs=None,
                )
                for index, reply in enumerate(replies)
            ],
            usage=_count_usage(replies),
            safevlm=self._build_guard(replies[0].verdict, replies[0]),
        ).dump()

    def build_first_chunk(self, index: int, verdict: GuardVerdict) -> dict[str, Any]:
        """Build the first chunk of a choice, before any text; the first choice's contains the guard's result."""
        has_content = verdict.refusal is None or self.refusal_in != "refusal"
        delta = DeltaOut(role="assistant", content="") if has_content else DeltaOut(role="assistant")
        return self._build_choice_chunk(index, delta, guard=self._build_guard(verdict) if index == 0 else None)

    def build_text_chunk(self, index: int, text: str, *, is_refusal: bool) -> dict[str, Any]:
        """Build the chunk of a piece of a reply or of a refusal."""
        fields = _FIELDS_OF_REFUSAL[self.refusal_in] if is_refusal else ("content",)
        return self._build_choice_chunk(index, DeltaOut.model_validate(dict.fromkeys(fields, text)))

    def build_last_chunk(self, index: int, reply: Reply) -> dict[str, Any]:
        """Build the last chunk of a choice."""
        return self._build_choice_chunk(index, DeltaOut(), finish_reason=reply.finish_reason)

    def build_usage_chunk(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """Build the chunk after all choices, for clients that requested it."""
        return self._build_chunk(choices=[], usage=_count_usage(replies))

    def _build_message(self, reply: Reply) -> MessageOut:
        if reply.refusal is None:
            return MessageOut(role="assistant", content=reply.content, refusal=None)
        fields = dict.fromkeys(_FIELDS_OF_REFUSAL[self.refusal_in], reply.refusal)
        return MessageOut(role="assistant", content=fields.get("content"), refusal=fields.get("refusal"))

    def _build_choice_chunk(
        self, index: int, delta: DeltaOut, *, finish_reason: str | None = None, guard: GuardOut | None = None
    ) -> dict[str, Any]:
        choice = ChunkChoice(index=index, delta=delta, finish_reason=finish_reason, logprobs=None)
        fields: dict[str, Any] = {} if guard is None else {"safevlm": guard}
        if self.usage_in_chunks:
            fields["usage"] = None
        return self._build_chunk(choices=[choice], **fields)

    def _build_chunk(self, **fields: Any) -> dict[str, Any]:
        return CompletionChunk(
            id=self.responses.id,
            object="chat.completion.chunk",
            created=self.created,
            model=self.responses.model,
            **fields,
        ).dump()

    def _build_guard(self, verdict: GuardVerdict, reply: Reply | None = None) -> GuardOut:
        return GuardOut(**self.responses.build_guard_fields(verdict, reply))


def build_moderation(responses: ResponseBuilder, info: GuardInfo, verdicts: Sequence[GuardVerdict]) -> dict[str, Any]:
    """Build the reply of ``/v1/moderations`` from the verdicts on all inputs."""
    results = [_build_result(responses, info, verdict) for verdict in verdicts]
    return Moderation(id=responses.id, model=responses.model, results=results).dump()


def _build_result(responses: ResponseBuilder, info: GuardInfo, verdict: GuardVerdict) -> ModerationResult:
    risky = [name for name in info.taxonomy.types if name != info.taxonomy.safe_type]
    scores = {} if verdict.assessment is None else verdict.assessment.type_scores
    meant = {name: [name, SAME_AS[name]] if name in SAME_AS else [name] for name in risky}
    flagged = dict.fromkeys(OPENAI_CATEGORIES, False)
    probable = dict.fromkeys(OPENAI_CATEGORIES, 0.0)
    applied: dict[str, list[str]] = {key: [] for key in OPENAI_CATEGORIES}
    kinds = _list_input_types(verdict)
    for name, keys in meant.items():
        for key in keys:
            # Without exposed risks every category has the value of the decision, so that none reveals the risk type.
            flagged[key] = verdict.verdict.flagged and (verdict.verdict.type == name or not responses.expose_risk)
            probable[key] = scores.get(name, 0.0) if responses.expose_risk else float(flagged[key])
            applied[key] = kinds
    return ModerationResult(
        flagged=verdict.verdict.flagged,
        categories=flagged,
        category_scores=probable,
        category_applied_input_types=applied,
        safevlm=GuardOut(**responses.build_guard_fields(verdict)),
    )


def _list_input_types(verdict: GuardVerdict) -> list[str]:
    """List what was judged: texts, images, or both."""
    text = verdict.pair is not None and verdict.pair.text is not None
    return [*(["text"] if text else []), *(["image"] if verdict.images_scanned else [])]


def _count_usage(replies: Sequence[Reply]) -> CompletionUsage:
    prompt_tokens = max(reply.prompt_tokens for reply in replies)
    completion_tokens = sum(reply.completion_tokens for reply in replies)
    return CompletionUsage(
        prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, total_tokens=prompt_tokens + completion_tokens
    )
