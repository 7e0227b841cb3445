"""Decides which earlier turns of a conversation are left out, so that one refused turn does not end the conversation.

A conversation is judged as a whole first; if it is allowed, it continues unchanged, at no further cost. If the whole is
refused, every user turn is judged alone. Earlier turns that are refused are dropped, together with the answers that
followed them, and the rest is judged again as a whole. If that is still refused, the conversation is replayed: each
earlier turn is judged together with the turns kept before it, as when it was sent, and dropped if it is refused.

The last user turn is never dropped, instructions are never dropped, and the language model reads exactly the
conversation whose judgement allowed it. A turn without a verdict leaves the whole request without one.
At most ``4 + 2 n`` judgements for ``n`` user turns, none larger than the whole conversation.

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
"""Concurrent judgements of one conversation: a long one must not fill the queue, nor its client's share of it."""

Outcome = JudgedRequest | InputError
"""A verdict, or why a request cannot be judged alone (for example because its text has no visible characters)."""


@dataclass(frozen=True, slots=True)
class ConversationDecision:
    """The decision on a conversation."""

    judged: JudgedRequest
    """The verdict that decides."""

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
    wanted = next(judgements)
    while True:
        outcomes = judge(wanted)
        try:
            wanted = judgements.send(outcomes)
        except StopIteration as ended:
            return _get_decision(ended)


async def decide_conversation_async(
    request: GuardRequest, judge: Callable[[GuardRequest], Awaitable[JudgedRequest]]
) -> ConversationDecision:
    """:func:`decide_conversation` with concurrent judgements of independent requests.

    Raises:
        InputError: the conversation cannot be judged.
        Exception: whatever else ``judge`` raises; concurrent judgements are cancelled.
    """

    semaphore = asyncio.Semaphore(_MAX_CONCURRENT)

    async def judge_one(one: GuardRequest) -> Outcome:
        try:
            async with semaphore:
                return await judge(one)
        except InputError as exc:
            return exc

    judgements = _generate_judgements(request)
    wanted = next(judgements)
    while True:
        tasks = [asyncio.ensure_future(judge_one(one)) for one in wanted]
        try:
            outcomes = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        try:
            wanted = judgements.send(outcomes)
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
    with_question = [one for one in conversation.rounds if one.has_question]
    wanted = [conversation.build_question(one) for one in with_question]
    if (instructions := conversation.build_instructions()) is not None:
        wanted.append(instructions)
    found = timings.add((yield wanted))
    if (without := _find_without_verdict(found)) is not None:
        return ConversationDecision(report(without), request)
    refused = {id(one) for one, outcome in zip(with_question, found, strict=False) if _is_refused(outcome)}
    if instructions is not None and _is_refused(found[-1]):
        return ConversationDecision(report(found[-1]), request)
    if id(last) in refused:
        return ConversationDecision(report(found[with_question.index(last)]), request)

    kept = [one for one in earlier if id(one) not in refused]
    outcome: Outcome = whole
    readable = request
    if refused:
        readable = conversation.keep([*kept, last])
        (outcome,) = timings.add((yield [readable]))
    if _is_refused(outcome) and not _is_without_verdict(outcome) and kept:
        replayed: list[Round] = []
        for one in kept:
            (alone,) = timings.add((yield [conversation.build_prefix([*replayed, one])]))
            if _is_without_verdict(alone):
                return ConversationDecision(report(alone), request)
            if not (one.has_question and _is_refused(alone)):
                replayed.append(one)
        if len(replayed) < len(kept):
            kept = replayed
            readable = conversation.keep([*kept, last])
            (outcome,) = timings.add((yield [readable]))
    if isinstance(outcome, InputError):  # the rest cannot be judged without the dropped turns: then nothing is dropped
        return ConversationDecision(whole, request)
    dropped = () if _is_refused(outcome) else conversation.list_dropped([*kept, last])
    return ConversationDecision(report(outcome, dropped=dropped), readable)


def _is_refused(outcome: Outcome) -> bool:
    return isinstance(outcome, JudgedRequest) and outcome.verdict.refusal is not None


def _is_without_verdict(outcome: Outcome) -> bool:
    return isinstance(outcome, JudgedRequest) and outcome.verdict.assessment is None


def _find_without_verdict(outcomes: Iterable[Outcome]) -> JudgedRequest | None:
    return next((one for one in outcomes if isinstance(one, JudgedRequest) and _is_without_verdict(one)), None)


@dataclass(slots=True)
class _Timings:
    """Milliseconds of all judgements of one conversation; of concurrent ones the slowest counts."""

    prepare_ms: float = 0.0
    queue_ms: float = 0.0
    guard_ms: float = 0.0

    def add(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        verdicts = [one.verdict for one in outcomes if isinstance(one, JudgedRequest)]
        self.prepare_ms += max((one.prepare_ms for one in verdicts), default=0.0)
        self.queue_ms += max((one.queue_ms for one in verdicts), default=0.0)
        self.guard_ms += max((one.guard_ms for one in verdicts), default=0.0)
        return outcomes


def _report_on_whole(
    judged: Outcome, whole: JudgedRequest, request: GuardRequest, timings: _Timings, dropped: tuple[int, ...]
) -> JudgedRequest:
    """The verdict on a part of a conversation as the verdict on the whole, whose images were all judged."""
    assert isinstance(judged, JudgedRequest)
    verdict = judged.verdict
    received = len(request.images)
    scanned = 0 if verdict.assessment is None else received
    return replace(
        judged,
        verdict=replace(
            verdict,
            per_image=whole.verdict.per_image if scanned else (),
            images_received=received,
            images_scanned=scanned,
            dropped_messages=dropped,
            prepare_ms=timings.prepare_ms,
            queue_ms=timings.queue_ms,
            guard_ms=timings.guard_ms,
        ),
    )
