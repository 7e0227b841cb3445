"""Joins messages into turns, and divides a conversation into rounds that can be judged or left out. Knows no verdicts.

A round is what the user sent, including instructions, and the answer that followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from safety_core.engine.messages import ChatRequest, ClientMessage, GuardRequest
from safety_core.inputs.conversation import Turn

_BREAK = "\n"


def join_messages(messages: Iterable[ClientMessage]) -> tuple[Turn, ...]:
    """Join messages into turns: neighbours of one role become one turn, and empty messages are skipped.

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
        of_user = [one for one in self.messages if one.role == "user"]
        return any(one.images or any(text.strip() for text in one.texts) for one in of_user)

    @property
    def indices(self) -> range:
        """Indices of its messages in the conversation."""
        return range(self.start, self.start + len(self.messages))


@dataclass(frozen=True, slots=True)
class Rounds:
    """A conversation of at least two rounds, and the requests that can be made of its parts."""

    request: GuardRequest
    """The request with the whole conversation."""

    messages: tuple[ClientMessage, ...]
    """All messages."""

    rounds: tuple[Round, ...]
    """The rounds, in order."""

    joined: bool = field(kw_only=True)
    """Whether turns must be joined from the messages; otherwise each message is a turn of the request."""

    def build_question(self, one: Round) -> GuardRequest:
        """A request with only the user's part of one round: texts, images and the instructions before them."""
        return self._build_request([i for i in one.indices if self.messages[i].role != "assistant"])

    def build_instructions(self) -> GuardRequest | None:
        """A request with only the instructions; None if there are none."""
        found = [i for i, one in enumerate(self.messages) if one.role == "instructions" and any(one.texts)]
        return self._build_request(found) if found else None

    def build_prefix(self, rounds: Sequence[Round]) -> GuardRequest:
        """A request with some rounds that ends with the question of the last one, as if that were the newest."""
        *_, last = rounds
        left = self._list_kept(rounds)
        answer = [i for i in last.indices if self.messages[i].role == "assistant"]
        return self._build_request([i for i in left if i < last.start + len(last.messages) and i not in answer])

    def keep(self, rounds: Sequence[Round]) -> GuardRequest:
        """The request with only some of its rounds, and all instructions."""
        return self._reduce(self.request, self._list_kept(rounds))

    def list_dropped(self, rounds: Sequence[Round]) -> tuple[int, ...]:
        """Indices of the messages that :meth:`keep` leaves out."""
        return tuple(sorted({*range(len(self.messages))} - {*self._list_kept(rounds)}))

    def _list_kept(self, rounds: Sequence[Round]) -> list[int]:
        kept = {index for one in rounds for index in one.indices}
        return [i for i, one in enumerate(self.messages) if i in kept or one.role == "instructions"]

    def _build_request(self, indices: Sequence[int]) -> GuardRequest:
        """A request to judge some messages, not to answer them."""
        return self._reduce(GuardRequest(policy=self.request.policy), indices)

    def _reduce(self, request: GuardRequest, indices: Sequence[int]) -> GuardRequest:
        """A request with its content replaced by some of the messages and their images."""
        ends = [0]
        for one in self.messages:
            ends.append(ends[-1] + one.images)
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
        if turns and not any(counts):  # then all images belong to the first turn
            counts[0] = len(request.images)
        messages = tuple(
            ClientMessage(role=turn.role, texts=turn.parts or (turn.text,), images=count)
            for turn, count in zip(turns, counts, strict=True)
        )
    if not messages or sum(one.images for one in messages) != len(request.images):
        return None
    starts, answered = [0], False
    for index, one in enumerate(messages):
        # A user's message without content is no turn: an answer after it belongs to the question before it.
        if answered and one.role != "assistant" and (one.images or any(one.texts)):
            starts.append(index)
        answered = one.role == "assistant" or (answered and index not in starts)
    ends = [*starts[1:], len(messages)]
    rounds = tuple(Round(start, messages[start:end]) for start, end in zip(starts, ends, strict=True))
    if len(rounds) < 2:
        return None
    return Rounds(request, messages, rounds, joined=bool(request.messages))
