"""Which earlier turns of a conversation are left out, so that one refused turn does not end the conversation.

A conversation is judged as a whole first; if it is allowed, it continues unchanged, at no further cost. If the whole is
refused, every user turn is judged alone. Earlier turns that are refused are dropped, together with the answers that
followed them, and the rest is judged again as a whole. If that is still refused, the conversation is replayed: each
earlier turn is judged together with the turns kept before it, as when it was sent, and dropped if it is refused.

The last user turn is never dropped, instructions are never dropped, and the language model reads exactly the
conversation whose judgement allowed it. A turn without a verdict leaves the whole request without one.
At most ``4 + 2 n`` judgements for ``n`` user turns, none larger than the whole conversation.

The rules are a generator that yields requests to judge and receives verdicts, so that the synchronous guard and the
asynchronous engine share them. Knows no torch and no HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from safety_core.engine.messages import ChatRequest, ClientMessage, GuardRequest, GuardVerdict, Judged
from safety_core.errors import InputError
from safety_core.inputs.prompts import Turn

_BREAK = "\n"

_AT_A_TIME = 8
"""Judgements of one conversation that run at a time: a long one must not fill the queue, nor its client's share."""

Outcome = Judged | InputError
"""A verdict, or why a request cannot be judged alone (for example because its text has no visible characters)."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The decision on a conversation."""

    judged: Judged
    """The verdict that decides."""

    request: GuardRequest
    """The request that the language model may read if the verdict allows it: exactly what was judged."""


_Judgements = Generator[Sequence[GuardRequest], Sequence[Outcome], Settled]


def join_messages(messages: Iterable[ClientMessage]) -> tuple[Turn, ...]:
    """Join messages into turns: neighbours of one role become one turn, and empty messages none.

    Instructions are the client's words like any other, so they join the user's turn.
    """
    turns: list[Turn] = []
    for message in messages:
        role: Literal["user", "assistant"] = "assistant" if message.role == "assistant" else "user"
        texts, images = tuple(text for text in message.texts if text), message.images
        if not texts and not images:
            continue
        if turns and turns[-1].role == role:
            before = turns.pop()
            texts = (*(text for text in before.parts or (before.text,) if text), *texts)
            images += before.images
        turns.append(Turn(role=role, text=_BREAK.join(texts), images=images, parts=texts if len(texts) > 1 else ()))
    return tuple(turns)


def settle(request: GuardRequest, judge: Callable[[Sequence[GuardRequest]], Sequence[Outcome]]) -> Settled:
    """Decide on a conversation.

    Args:
        request: the conversation.
        judge: judges requests that do not depend on each other.

    Raises:
        InputError: the conversation cannot be judged.
    """
    judgements = _judgements(request)
    asked = next(judgements)
    while True:
        outcomes = judge(asked)
        try:
            asked = judgements.send(outcomes)
        except StopIteration as ended:
            return _returned(ended)


async def settle_async(request: GuardRequest, judge: Callable[[GuardRequest], Awaitable[Judged]]) -> Settled:
    """:func:`settle` with concurrent judgements of independent requests.

    Raises:
        InputError: the conversation cannot be judged.
        Exception: whatever else ``judge`` raises; concurrent judgements are cancelled.
    """

    places = asyncio.Semaphore(_AT_A_TIME)

    async def outcome_of(one: GuardRequest) -> Outcome:
        try:
            async with places:
                return await judge(one)
        except InputError as exc:
            return exc

    judgements = _judgements(request)
    asked = next(judgements)
    while True:
        tasks = [asyncio.ensure_future(outcome_of(one)) for one in asked]
        try:
            outcomes = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        try:
            asked = judgements.send(outcomes)
        except StopIteration as ended:
            return _returned(ended)


def _returned(ended: StopIteration) -> Settled:
    settled = ended.value
    assert isinstance(settled, Settled)
    return settled


def _judgements(request: GuardRequest) -> _Judgements:
    """The rules of the module, as requests to judge."""
    spent = _Spent()
    (whole,) = spent.add((yield [request]))
    if isinstance(whole, InputError):
        raise whole
    history = _History.of(request)
    if history is None or not _refused(whole) or _lacks_verdict(whole):
        return Settled(whole, request)

    *earlier, last = history.exchanges
    alone = [one for one in history.exchanges if one.asks]
    asked = [history.question(one) for one in alone]
    if (instructions := history.instructions()) is not None:
        asked.append(instructions)
    found = spent.add((yield asked))
    if (without := _first_without_verdict(found)) is not None:
        return Settled(history.told(without, whole, spent), request)
    refused = {id(one) for one, outcome in zip(alone, found, strict=False) if _refused(outcome)}
    if instructions is not None and _refused(found[-1]):
        return Settled(history.told(found[-1], whole, spent), request)
    if id(last) in refused:
        return Settled(history.told(found[alone.index(last)], whole, spent), request)

    kept = [one for one in earlier if id(one) not in refused]
    decided: Outcome = whole
    settled = request
    if refused:
        settled = history.kept([*kept, last])
        (decided,) = spent.add((yield [settled]))
    if _refused(decided) and not _lacks_verdict(decided) and kept:
        replayed: list[_Exchange] = []
        for one in kept:
            (outcome,) = spent.add((yield [history.up_to([*replayed, one])]))
            if _lacks_verdict(outcome):
                return Settled(history.told(outcome, whole, spent), request)
            if not (one.asks and _refused(outcome)):
                replayed.append(one)
        if len(replayed) < len(kept):
            kept = replayed
            settled = history.kept([*kept, last])
            (decided,) = spent.add((yield [settled]))
    if isinstance(decided, InputError):  # cannot be judged without what was dropped: then nothing is dropped
        return Settled(whole, request)
    dropped = () if _refused(decided) else history.dropped([*kept, last])
    return Settled(history.told(decided, whole, spent, dropped=dropped), settled)


def _refused(outcome: Outcome) -> bool:
    return isinstance(outcome, Judged) and outcome.verdict.refusal is not None


def _lacks_verdict(outcome: Outcome) -> bool:
    return isinstance(outcome, Judged) and outcome.verdict.assessment is None


def _first_without_verdict(outcomes: Iterable[Outcome]) -> Judged | None:
    return next((one for one in outcomes if isinstance(one, Judged) and _lacks_verdict(one)), None)


@dataclass(slots=True)
class _Spent:
    """Milliseconds of all judgements of one conversation; of concurrent ones the slowest counts."""

    prepare_ms: float = 0.0
    queue_ms: float = 0.0
    guard_ms: float = 0.0

    def add(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        verdicts = [one.verdict for one in outcomes if isinstance(one, Judged)]
        self.prepare_ms += max((one.prepare_ms for one in verdicts), default=0.0)
        self.queue_ms += max((one.queue_ms for one in verdicts), default=0.0)
        self.guard_ms += max((one.guard_ms for one in verdicts), default=0.0)
        return outcomes


@dataclass(frozen=True, slots=True, eq=False)
class _Exchange:
    """Messages of the user, instructions among them, and the answer that followed."""

    start: int
    """Index of its first message."""

    messages: tuple[ClientMessage, ...]
    """The messages."""

    @property
    def asks(self) -> bool:
        """Whether it contains any text or picture of the user."""
        of_user = [one for one in self.messages if one.role == "user"]
        return any(one.images or any(text.strip() for text in one.texts) for one in of_user)

    @property
    def indices(self) -> range:
        """Indices of its messages."""
        return range(self.start, self.start + len(self.messages))


@dataclass(frozen=True, slots=True)
class _History:
    """A conversation of several exchanges."""

    request: GuardRequest
    messages: tuple[ClientMessage, ...]
    exchanges: tuple[_Exchange, ...]
    joined: bool = field(kw_only=True)
    """Whether turns must be joined from the messages; otherwise each message is a turn of the request."""

    @classmethod
    def of(cls, request: GuardRequest) -> _History | None:
        """The history of a request; None if there is none, or if pictures cannot be assigned to messages."""
        messages = request.messages
        if not messages and isinstance(request, ChatRequest):
            turns = request.turns
            counts = [turn.images for turn in turns]
            if turns and not any(counts):  # then all pictures belong to the first turn
                counts[0] = len(request.images)
            messages = tuple(
                ClientMessage(role=turn.role, texts=turn.parts or (turn.text,), images=count)
                for turn, count in zip(turns, counts, strict=True)
            )
        if not messages or sum(one.images for one in messages) != len(request.images):
            return None
        starts, answered = [0], False
        for index, one in enumerate(messages):
            # A user's message that says nothing is no turn: an answer behind it belongs to the question before it.
            if answered and one.role != "assistant" and (one.images or any(one.texts)):
                starts.append(index)
            answered = one.role == "assistant" or (answered and index not in starts)
        ends = [*starts[1:], len(messages)]
        exchanges = tuple(_Exchange(start, messages[start:end]) for start, end in zip(starts, ends, strict=True))
        if len(exchanges) < 2:
            return None
        return cls(request, messages, exchanges, joined=bool(request.messages))

    def question(self, exchange: _Exchange) -> GuardRequest:
        """The user's question in one exchange, alone: words, pictures, and the instructions before it."""
        return self._request([i for i in exchange.indices if self.messages[i].role != "assistant"])

    def instructions(self) -> GuardRequest | None:
        """All instructions, alone; None if there are none."""
        found = [i for i, one in enumerate(self.messages) if one.role == "instructions" and any(one.texts)]
        return self._request(found) if found else None

    def up_to(self, exchanges: Sequence[_Exchange]) -> GuardRequest:
        """The conversation of some exchanges up to the last one's question, as if that were the newest."""
        *_, last = exchanges
        left = self._kept_indices(exchanges)
        answer = [i for i in last.indices if self.messages[i].role == "assistant"]
        return self._request([i for i in left if i < last.start + len(last.messages) and i not in answer])

    def kept(self, exchanges: Sequence[_Exchange]) -> GuardRequest:
        """The request with some of its exchanges only, and all instructions."""
        return self._reduced(self.request, self._kept_indices(exchanges))

    def dropped(self, exchanges: Sequence[_Exchange]) -> tuple[int, ...]:
        """Indices of the messages that :meth:`kept` leaves out."""
        return tuple(sorted({*range(len(self.messages))} - {*self._kept_indices(exchanges)}))

    def told(self, judged: Outcome, whole: Judged, spent: _Spent, *, dropped: tuple[int, ...] = ()) -> Judged:
        """The verdict on a part as the verdict on the request, whose pictures were all judged."""
        assert isinstance(judged, Judged)
        verdict: GuardVerdict = judged.verdict
        received = len(self.request.images)
        scanned = 0 if verdict.assessment is None else received
        return replace(
            judged,
            verdict=replace(
                verdict,
                per_image=whole.verdict.per_image if scanned else (),
                images_received=received,
                images_scanned=scanned,
                dropped_messages=dropped,
                prepare_ms=spent.prepare_ms,
                queue_ms=spent.queue_ms,
                guard_ms=spent.guard_ms,
            ),
        )

    def _kept_indices(self, exchanges: Sequence[_Exchange]) -> list[int]:
        kept = {index for one in exchanges for index in one.indices}
        return [i for i, one in enumerate(self.messages) if i in kept or one.role == "instructions"]

    def _request(self, indices: Sequence[int]) -> GuardRequest:
        """Some messages to be judged only."""
        return self._reduced(GuardRequest(rules=self.request.rules), indices)

    def _reduced(self, request: GuardRequest, indices: Sequence[int]) -> GuardRequest:
        """A request with some of the messages, and their pictures, in place of its own."""
        ends = [0]
        for one in self.messages:
            ends.append(ends[-1] + one.images)
        images = tuple(picture for i in indices for picture in self.request.images[ends[i] : ends[i + 1]])
        messages = tuple(self.messages[i] for i in indices)
        turns = join_messages(messages) if self.joined else tuple(self.request.turns[i] for i in indices)
        return replace(request, images=images, turns=turns, messages=())
