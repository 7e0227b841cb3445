"""Decides which earlier turns of a conversation are dropped, so that one refused turn does not end the conversation.

A conversation is judged as a whole first; if it is allowed, it continues unchanged, at no further cost. If it is
refused, every user turn is judged separately. Earlier turns that are refused are dropped together with the answers that
followed them, and the remaining conversation is judged again. If it is still refused, the conversation is replayed:
each earlier turn is judged together with the turns kept before it, as when it was sent, and dropped if it is refused.

The last user turn is never dropped, instructions are never dropped, and the language model reads exactly the
conversation whose judgement allowed it. A turn without a verdict leaves the whole request without one. There are at
most ``4 + 2 n`` judgements for ``n`` user turns, none larger than the whole conversation.

The procedure is a generator that yields requests to judge and receives verdicts, so that the synchronous guard and the
asynchronous engine share it. Knows no torch and no HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace

from safety_core.engine.judging.conversation_rounds import Round, split_rounds
from safety_core.engine.messages import GuardRequest
from safety_core.engine.work import JudgedRequest
from safety_core.errors import InputError

_MAX_CONCURRENT = 8
"""Maximum concurrent judgements of one conversation, which must not fill the queue or its client's share."""

Outcome = JudgedRequest | InputError
"""A verdict, or why a request cannot be judged separately (for example, its text has no visible characters)."""


@dataclass(frozen=True, slots=True)
class ConversationDecision:
    """The decision on a conversation."""

    judged: JudgedRequest
    """The verdict that determines the decision."""

    request: GuardRequest
    """The request that the language model may read if the verdict allows it: exactly what was judged."""


_Judgements = Generator[Sequence[GuardRequest], Sequence[Outcome], ConversationDecision]


def decide_conversation(
    request: GuardRequest, judge: Callable[[Sequence[GuardRequest]], Sequence[Outcome]]
) -> ConversationDecision:
    """Decide on a conversation.

    Args:
        request: the conversation.
        judge: judges requests that do not depend on each other.

    Raises:
        InputError: the conversation cannot be judged.
    """
    judgements = _generate_judgements(request)
    requests = next(judgements)
    while True:
        outcomes = judge(requests)
        try:
            requests = judgements.send(outcomes)
        except StopIteration as ended:
            return _get_decision(ended)


async def decide_conversation_async(
    request: GuardRequest, judge: Callable[[GuardRequest], Awaitable[JudgedRequest]]
) -> ConversationDecision:
    """:func:`decide_conversation` with concurrent judgements of independent requests.

    Raises:
        InputError: the conversation cannot be judged.
        Exception: any other exception of ``judge``; concurrent judgements are cancelled.
    """

    semaphore = asyncio.Semaphore(_MAX_CONCURRENT)

    async def judge_one(single: GuardRequest) -> Outcome:
        try:
            async with semaphore:
                return await judge(single)
        except InputError as exc:
            return exc

    judgements = _generate_judgements(request)
    requests = next(judgements)
    while True:
        tasks = [asyncio.ensure_future(judge_one(single)) for single in requests]
        try:
            outcomes = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        try:
            requests = judgements.send(outcomes)
        except StopIteration as ended:
            return _get_decision(ended)


def _get_decision(ended: StopIteration) -> ConversationDecision:
    decision = ended.value
    assert isinstance(decision, ConversationDecision)
    return decision


def _generate_judgements(request: GuardRequest) -> _Judgements:
    """Yield the requests to judge, step by step; returns the decision."""
    timings = _Timings()
    (whole,) = timings.add((yield [request]))
    if isinstance(whole, InputError):
        raise whole
    conversation = split_rounds(request)
    if conversation is None or not _is_refused(whole) or _is_without_verdict(whole):
        return ConversationDecision(whole, request)

    def report(outcome: Outcome, *, dropped: tuple[int, ...] = ()) -> JudgedRequest:
        return _report_on_whole(outcome, whole, request, timings, dropped)

    *earlier, last = conversation.rounds
    with_question = [item for item in conversation.rounds if item.has_question]
    questions = [conversation.build_question(item) for item in with_question]
    if (instructions := conversation.build_instructions()) is not None:
        questions.append(instructions)
    outcomes = timings.add((yield questions))
    if (unjudged := _find_without_verdict(outcomes)) is not None:
        return ConversationDecision(report(unjudged), request)
    refused = {id(item) for item, outcome in zip(with_question, outcomes, strict=False) if _is_refused(outcome)}
    if instructions is not None and _is_refused(outcomes[-1]):
        return ConversationDecision(report(outcomes[-1]), request)
    if id(last) in refused:
        return ConversationDecision(report(outcomes[with_question.index(last)]), request)

    kept = [item for item in earlier if id(item) not in refused]
    outcome: Outcome = whole
    readable = request
    if refused:
        readable = conversation.keep([*kept, last])
        (outcome,) = timings.add((yield [readable]))
    if _is_refused(outcome) and not _is_without_verdict(outcome) and kept:
        replayed: list[Round] = []
        for item in kept:
            (replay_outcome,) = timings.add((yield [conversation.build_prefix([*replayed, item])]))
            if _is_without_verdict(replay_outcome):
                return ConversationDecision(report(replay_outcome), request)
            if not (item.has_question and _is_refused(replay_outcome)):
                replayed.append(item)
        if len(replayed) < len(kept):
            kept = replayed
            readable = conversation.keep([*kept, last])
            (outcome,) = timings.add((yield [readable]))
    if isinstance(outcome, InputError):  # without the dropped turns, the rest cannot be judged: nothing is dropped
        return ConversationDecision(whole, request)
    dropped = () if _is_refused(outcome) else conversation.list_dropped([*kept, last])
    return ConversationDecision(report(outcome, dropped=dropped), readable)


def _is_refused(outcome: Outcome) -> bool:
    return isinstance(outcome, JudgedRequest) and outcome.verdict.refusal is not None


def _is_without_verdict(outcome: Outcome) -> bool:
    return isinstance(outcome, JudgedRequest) and outcome.verdict.assessment is None


def _find_without_verdict(outcomes: Iterable[Outcome]) -> JudgedRequest | None:
    return next(
        (outcome for outcome in outcomes if isinstance(outcome, JudgedRequest) and _is_without_verdict(outcome)), None
    )


@dataclass(slots=True)
class _Timings:
    """Milliseconds of all judgements of one conversation; the slowest of concurrent judgements counts."""

    prepare_ms: float = 0.0
    queue_ms: float = 0.0
    guard_ms: float = 0.0

    def add(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        verdicts = [outcome.verdict for outcome in outcomes if isinstance(outcome, JudgedRequest)]
        self.prepare_ms += max((outcome.prepare_ms for outcome in verdicts), default=0.0)
        self.queue_ms += max((outcome.queue_ms for outcome in verdicts), default=0.0)
        self.guard_ms += max((outcome.guard_ms for outcome in verdicts), default=0.0)
        return outcomes


def _report_on_whole(
    judged: Outcome, whole: JudgedRequest, request: GuardRequest, timings: _Timings, dropped: tuple[int, ...]
) -> JudgedRequest:
    """Convert the verdict on a part of a conversation to the verdict on the whole, whose images were all judged."""
    assert isinstance(judged, JudgedRequest)
    verdict = judged.verdict
    received = len(request.images)
    scanned = 0 if verdict.assessment is None else received
    return replace(
        judged,
        verdict=replace(
            verdict,
            per_image=whole.verdict.per_image if scanned else (),
            lettering=whole.verdict.lettering if scanned else (),
            # The part's images have other indices than those of the whole conversation.
            lettering_sources=verdict.lettering_sources if verdict.images_received == received else (),
            images_received=received,
            images_scanned=scanned,
            dropped_messages=dropped,
            prepare_ms=timings.prepare_ms,
            queue_ms=timings.queue_ms,
            guard_ms=timings.guard_ms,
        ),
    )
