"""What goes into the guard and what comes out, and what a server needs of a guard: no torch and no HTTP.

A chat is a sequence of events: one :class:`GuardVerdict`, then :class:`Delta` pieces, then one :class:`Reply`. Nobody
can receive text before the verdict, because there is no other order.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from safety_core.inputs.images.decoding import CLIP_MEAN, Colour, DecodedImage
from safety_core.inputs.prompts import Turn
from safety_core.policy.book import ActivePolicy
from safety_core.policy.policy import Policy, Verdict
from safety_core.scores import Assessment, PairScores
from safety_core.taxonomy import Taxonomy

MAX_REPLY_CHARACTERS = 1 << 17
"""Most characters of complete replies that are judged at once."""

FinishReason = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMessage:
    """One message of a conversation as its client sent it, before neighbours of one role become one turn."""

    role: Literal["instructions", "user", "assistant"]
    """Its author; instructions are also the client's words, and are read as part of the user's turn."""

    texts: tuple[str, ...] = ()
    """Its texts; empty for an empty message, such as a refusal replayed with empty content."""

    images: int = 0
    """Number of its pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRequest:
    """Something to judge: pictures, a conversation, or both."""

    images: tuple[DecodedImage, ...] = ()
    """Decoded pictures, in the order in which the model reads them."""

    turns: tuple[Turn, ...] = ()
    """User and assistant turns alternating; empty where pictures are judged by themselves."""

    heatmap: bool = False
    """Whether the assessment should show where the head looked."""

    rules: ActivePolicy | None = None
    """What it is judged and answered by; the checkpoint's own policy where None."""

    messages: tuple[ClientMessage, ...] = ()
    """The messages that ``turns`` were joined from, of which earlier ones may be dropped (``history``); if empty, each
    turn is one message. Judging reads only ``turns``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(GuardRequest):
    """Something to answer, if the guard lets it through."""

    max_tokens: int = 256
    """Most tokens of the reply."""

    temperature: float = 0.0
    """0 takes the most probable token."""

    top_p: float = 1.0
    """Draw only from the most probable tokens that together reach this probability."""

    seed: int | None = None
    """Seed of the draws; None draws a fresh one."""

    stop: tuple[str, ...] = ()
    """Strings that end the reply where they come; they stay out of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequest(GuardRequest):
    """Complete replies of a language model to judge, one for each turn: window by window, as the output rail would.

    They have at most ``MAX_REPLY_CHARACTERS`` together.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardVerdict:
    """What the guard decided, on what grounds."""

    verdict: Verdict
    """Decision, type, level and reason."""

    pair: PairScores | None = None
    """Everything the head said of the reading that decided; None where there is no verdict."""

    readings: tuple[PairScores, ...] = ()
    """Everything it said of every reading of the text, that one included."""

    others: Mapping[str, Verdict] = field(default_factory=dict)
    """What policies without consequences decided: those beside the one in force, and itself in shadow mode."""

    assessment: Assessment | None = None
    """The view that decided, with names; None where there is no verdict."""

    per_image: tuple[Assessment, ...] = ()
    """The same for each picture; empty where there is no verdict."""

    images_received: int = 0
    """Pictures in the request."""

    images_scanned: int = 0
    """Pictures that the head judged: all of them, or there is no verdict."""

    refusal: str | None = None
    """What to tell the client where the decision is ``refused``, else None."""

    dropped_messages: tuple[int, ...] = ()
    """Indices of earlier messages (of the turns, if there are no messages) that are left out of the decision and of
    what the language model reads: refused user turns, and the answers that followed them."""

    prepare_ms: float = 0.0
    """Milliseconds that preprocessing its pictures and tokenising its text took, the wait for a thread included."""

    queue_ms: float = 0.0
    """Milliseconds that the request waited for its turn."""

    guard_ms: float = 0.0
    """Milliseconds from pixels to verdict, of the batch that it was judged in; 0 where the verdict was known."""

    reused: bool = False
    """Whether it is shared with another request, so that this one needed no pass of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of what the client gets to read; the pieces join without separators."""

    text: str
    """The piece."""

    refusal: bool = False
    """Whether it belongs to a refusal instead of a reply of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A finished chat."""

    verdict: GuardVerdict
    """The verdict that came first."""

    content: str | None
    """The model's reply; None where it was refused."""

    refusal: str | None
    """The refusal; None where it was answered."""

    finish_reason: FinishReason
    """``stop``: the model ended; ``length``: out of tokens; ``content_filter``: refused, or cut on its way."""

    harmful: bool = False
    """Whether the model's reply turned harmful; it was cut then, unless its policy is in shadow mode."""

    prompt_tokens: int = 0
    """Positions that the language model read, pictures and safety tokens included; 0 where it never ran."""

    completion_tokens: int = 0
    """Tokens that the language model made; 0 where it never ran."""

    queue_ms: float = 0.0
    """Milliseconds that the request waited, for its verdict and for a place among the running replies."""

    generate_ms: float = 0.0
    """Milliseconds from joining the running replies to the last token."""


Event = GuardVerdict | Delta | Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardInfo:
    """What a guard runs on: for ``/v1/models`` and metrics."""

    checkpoint: str
    """Name of the checkpoint directory."""

    backbone: str
    """Name of the backbone: a hub id, or ``included`` for one that ships with the checkpoint."""

    device: str
    """Where it runs."""

    dtype: str
    """Precision of the backbone, with the kind of quantisation where there is one."""

    taxonomy: Taxonomy
    """Types and levels that it knows."""

    pad_colour: Colour = CLIP_MEAN
    """The image processor's mean in 0..255: pictures must be padded with it."""

    image_side: int | None = None
    """Side in pixels of the square that the image processor produces; None if unknown."""

    policy: Policy
    """The checkpoint's own policy, which operators lay theirs over."""

    positions_per_image: int = 0
    """Positions that one picture takes in the language model, its safety tokens included."""

    description: str = ""
    """What the checkpoint is suitable and not suitable for, in a sentence or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLimits:
    """How much at a time."""

    max_prompt_tokens: int | None = None
    """Longest text accepted, in tokens of the users' words; the model's own limit where None."""

    max_batch: int = 16
    """Views that go through the vision tower and the safety projector together."""

    max_replies: int = 32
    """Replies that are made together."""

    kv_positions: int = 1 << 15
    """Room for their keys and values, in positions: replies times positions of the longest."""

    reply_window: int = 0
    """Tokens of a reply between two judgements of it while it is made; 0 judges no reply."""

    reply_threshold: float = 0.2
    """Least threshold of the policy for replies: they are judged by their words alone, and half-way through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An amount of judging work, in units whose duration can be measured."""

    requests: int = 0
    """Number of requests, each of which has a fixed cost."""

    views: int = 0
    """Views of pictures that go through vision tower and safety projector."""

    tokens: int = 0
    """Tokens that the head reads, over all views and readings, with a surcharge for each row and each picture in it."""

    def __add__(self, other: Work) -> Work:
        return Work(
            requests=self.requests + other.requests,
            views=self.views + other.views,
            tokens=self.tokens + other.tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request that can be judged as it is; a guard keeps what it made of it in a subclass."""

    request: GuardRequest
    """What was asked."""

    cost: int = 1
    """How much of a batch it takes: its views, at least 1."""

    work: Work | None = None
    """The work of judging it; if None, as many views as it costs."""

    @property
    def amount(self) -> Work:
        """The work of judging it."""
        return Work(requests=1, views=self.cost) if self.work is None else self.work


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict, with what a reply would need; a guard keeps that in a subclass."""

    verdict: GuardVerdict
    """The verdict."""

    nbytes: int = 0
    """Bytes of what a reply would need."""


class RowLike(Protocol):
    """A reply that is being made."""

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""

    @property
    def failure(self) -> Exception | None:
        """Why it failed, if it did."""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it ended; None while it runs, and where it failed."""

    @property
    def harmful(self) -> bool:
        """Whether it was found to turn harmful."""

    @property
    def text(self) -> str:
        """All its text so far."""

    @property
    def prompt_positions(self) -> int:
        """Positions of its prompt."""

    @property
    def token_ids(self) -> Sequence[int]:
        """Its tokens so far."""


class MadeLike(Protocol):
    """What one step did for one reply."""

    @property
    def row(self) -> Any:
        """The reply."""

    @property
    def piece(self) -> str:
        """Text that has become certain."""


class GeneratorLike(Protocol):
    """Replies that are made together; :class:`safety_core.engine.generation.generator.Generator` is the real one."""

    @property
    def running(self) -> int:
        """Replies that are being made."""

    def row(self, job: Any) -> Any:
        """A reply that has not begun."""

    def fits(self, joining: Sequence[Any]) -> bool:
        """Whether replies may join those that run."""

    def admit(self, rows: Sequence[Any]) -> Sequence[MadeLike]:
        """Let replies join: each one's first token."""

    def step(self) -> Sequence[MadeLike]:
        """One more token of every running reply."""

    def drop(self, row: Any) -> None:
        """Stop a reply."""

    def release(self) -> None:
        """Give back memory that no running reply needs."""


class Closing(Protocol):
    """Something that ends when it is closed."""

    def close(self) -> None:
        """End it."""


class GuardLike(Protocol):
    """What a server needs of a guard; :class:`safety_core.engine.guard.Guard` is the real one."""

    @property
    def info(self) -> GuardInfo:
        """What it runs on."""

    @property
    def fingerprint(self) -> str:
        """Names checkpoint and policy: equal ones give equal verdicts."""

    def prepare(self, request: GuardRequest) -> Prepared:
        """Everything that needs no model; safe in any thread. Raises InputError."""

    def fold_in_process(self) -> Closing:
        """Undo disguises of long texts in another process from now on, until what this returns is closed."""

    def use_cores(self, cores: int) -> None:
        """Limit the model to this number of cores from now on; in the worker's thread only."""

    def judge(self, batch: Sequence[Prepared]) -> Sequence[Judged | Exception]:
        """Verdicts, or what kept one from being reached; in the worker's thread only."""

    def judge_in_slices(self, batch: Sequence[Prepared]) -> Generator[Work, None, Sequence[Judged | Exception]]:
        """The same verdicts as :meth:`judge`, with a pause after every few tens of milliseconds.

        Yields at each pause the work done since the last one. Closing it early abandons the request.
        """

    def job(self, judged: Judged, request: ChatRequest) -> Any:
        """What a generator needs to answer; safe in any thread. Raises InputError."""

    def generator(self) -> GeneratorLike:
        """A new generator, for the worker's thread only."""

    @property
    def canary(self) -> GuardRequest:
        """A request whose verdict is known."""

    def complaint(self, verdict: GuardVerdict) -> str | None:
        """None if this is the canary's known verdict, else what is wrong."""
