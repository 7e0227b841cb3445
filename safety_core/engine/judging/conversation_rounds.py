"""Joins messages into turns, and divides a conversation into rounds that can be judged or dropped. Knows no verdicts.

A round consists of messages of the user, including instructions, and the answer that followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from safety_core.engine.messages import ChatRequest, ClientMessage, GuardRequest
from safety_core.inputs.conversation import Turn

_BREAK = "\n"


def join_messages(messages: Iterable[ClientMessage]) -> tuple[Turn, ...]:
    """Join messages into turns: consecutive messages of one role become one turn, and empty messages are skipped.

    Instructions come from the client like any other text, so they become part of the user's turn.
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


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """Messages of the user, including instructions, and the answer that followed."""

    start: int
    """Index of its first message in the conversation."""

    messages: tuple[ClientMessage, ...]
    """Its messages."""

    @property
    def has_question(self) -> bool:
        """Whether it contains any text or image of the user."""
        of_user = [message for message in self.messages if message.role == "user"]
        return any(message.images or any(text.strip() for text in message.texts) for message in of_user)

    @property
    def indices(self) -> range:
        """Indices of its messages in the conversation."""
        return range(self.start, self.start + len(self.messages))


@dataclass(frozen=True, slots=True)
class Rounds:
    """A conversation of at least two rounds, from whose parts requests are built."""

    request: GuardRequest
    """The request with the whole conversation."""

    messages: tuple[ClientMessage, ...]
    """All messages."""

    rounds: tuple[Round, ...]
    """The rounds, in order."""

    joined: bool = field(kw_only=True)
    """Whether messages must be joined to turns; otherwise each message is a turn of the request."""

    def build_question(self, question_round: Round) -> GuardRequest:
        """Build a request with only the user's part of one round: texts, images and the instructions before them."""
        return self._build_request([i for i in question_round.indices if self.messages[i].role != "assistant"])

    def build_instructions(self) -> GuardRequest | None:
        """Build a request with only the instructions; None if there are none."""
        indices = [
            i for i, message in enumerate(self.messages) if message.role == "instructions" and any(message.texts)
        ]
        return self._build_request(indices) if indices else None

    def build_prefix(self, rounds: Sequence[Round]) -> GuardRequest:
        """Build a request with some rounds, without the answer of the last round, as if that were the newest."""
        *_, last = rounds
        left = self._list_kept(rounds)
        answer = [i for i in last.indices if self.messages[i].role == "assistant"]
        return self._build_request([i for i in left if i < last.start + len(last.messages) and i not in answer])

    def keep(self, rounds: Sequence[Round]) -> GuardRequest:
        """Build the request with only some of its rounds, and all instructions."""
        return self._reduce(self.request, self._list_kept(rounds))

    def list_dropped(self, rounds: Sequence[Round]) -> tuple[int, ...]:
        """List the indices of the messages that :meth:`keep` drops."""
        return tuple(sorted({*range(len(self.messages))} - {*self._list_kept(rounds)}))

    def _list_kept(self, rounds: Sequence[Round]) -> list[int]:
        kept_indices = {index for item in rounds for index in item.indices}
        return [i for i, item in enumerate(self.messages) if i in kept_indices or item.role == "instructions"]

    def _build_request(self, indices: Sequence[int]) -> GuardRequest:
        """Build a request to judge some messages, without answering them."""
        return self._reduce(GuardRequest(policy=self.request.policy), indices)

    def _reduce(self, request: GuardRequest, indices: Sequence[int]) -> GuardRequest:
        """Build a copy of a request that contains only some of the messages and their images."""
        ends = [0]
        for message in self.messages:
            ends.append(ends[-1] + message.images)
        images = tuple(image for i in indices for image in self.request.images[ends[i] : ends[i + 1]])
        messages = tuple(self.messages[i] for i in indices)
        turns = join_messages(messages) if self.joined else tuple(self.request.turns[i] for i in indices)
        return replace(request, images=images, turns=turns, messages=())


def split_rounds(request: GuardRequest) -> Rounds | None:
    """Divide a conversation into rounds; None if there is only one, or images cannot be assigned to messages."""
    messages = request.messages
    if not messages and isinstance(request, ChatRequest):
        turns = request.turns
        counts = [turn.images for turn in turns]
        if turns and not any(counts):  # all images belong to the first turn then
            counts[0] = len(request.images)
        messages = tuple(
            ClientMessage(role=turn.role, texts=turn.parts or (turn.text,), images=count)
            for turn, count in zip(turns, counts, strict=True)
        )
    if not messages or sum(message.images for message in messages) != len(request.images):
        return None
    starts, answered = [0], False
    for index, message in enumerate(messages):
        # A user's message without content is not a turn: an answer after it belongs to the previous question.
        if answered and message.role != "assistant" and (message.images or any(message.texts)):
            starts.append(index)
        answered = message.role == "assistant" or (answered and index not in starts)
    ends = [*starts[1:], len(messages)]
    rounds = tuple(Round(start, messages[start:end]) for start, end in zip(starts, ends, strict=True))
    if len(rounds) < 2:
        return None
    return Rounds(request, messages, rounds, joined=bool(request.messages))
