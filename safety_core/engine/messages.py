"""Requests to a guard, its verdicts, and the events of a chat. Knows no torch and no HTTP.

A chat is a sequence of events: one :class:`GuardVerdict`, then :class:`Delta` pieces, then one :class:`Reply`. There is
no other order, so no text is ever sent before the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.lettering.reading import Line, Problem
from safety_core.lettering.request_texts import LetteringSource
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Verdict
from safety_core.scores import Assessment, PairScores, SurfaceName

MAX_REPLY_CHARACTERS = 1 << 17
"""Maximum total length of the complete replies in one :class:`ReplyRequest`."""

FinishReason = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMessage:
    """One message of a conversation as the client sent it, before messages of one role are joined into a turn."""

    role: Literal["instructions", "user", "assistant"]
    """Author of the message; instructions also come from the client, and are read as part of the user's turn."""

    texts: tuple[str, ...] = ()
    """Texts of the message; empty for an empty message, such as a refusal that the client replays without content."""

    images: int = 0
    """Number of images in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRequest:
    """Images, a conversation, or both, to be judged."""

    images: tuple[DecodedImage, ...] = ()
    """Decoded images, in the order in which the model reads them."""

    turns: tuple[Turn, ...] = ()
    """User and assistant turns, alternating; empty if only images are judged."""

    heatmap: bool = False
    """Whether the assessment should contain a heatmap of the head's attention, and the verdict the lettering that was
    read."""

    policy: ActivePolicy | None = None
    """The policy for the request; the checkpoint's own policy if None."""

    messages: tuple[ClientMessage, ...] = ()
    """The messages that were joined to ``turns``; earlier messages may be dropped (``conversation_decision``). If
    empty, each turn is one message. Judging reads only ``turns``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(GuardRequest):
    """A conversation to be judged, and answered if it is allowed."""

    max_tokens: int = 256
    """Maximum number of tokens of the reply."""

    temperature: float = 0.0
    """Sampling temperature; 0 takes the most probable token."""

    top_p: float = 1.0
    """Total probability of the most probable tokens from which the next token is sampled."""

    seed: int | None = None
    """Seed of the sampling; a random one if None."""

    stop: tuple[str, ...] = ()
    """Strings that end the reply where they occur; the reply does not contain them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequest(GuardRequest):
    """Complete replies of a language model to be judged, one for each turn, in the windows of the output rail.

    Their total length is at most ``MAX_REPLY_CHARACTERS``.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRequest(GuardRequest):
    """A request with a known verdict. The reader of lettering, which keeps what it read, is checked with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardVerdict:
    """The decision of the guard, with the scores that it is based on."""

    verdict: Verdict
    """Decision, type, level and reason."""

    pair: PairScores | None = None
    """All scores of the text variant that determined the decision; None without a verdict."""

    variant_scores: tuple[PairScores, ...] = ()
    """All scores of every variant of the text, including the variant that determined the decision."""

    others: Mapping[str, Verdict] = field(default_factory=dict)
    """Decisions that are only recorded: of the policies beside the one in force, and of that policy in shadow mode."""

    assessment: Assessment | None = None
    """The scores that determined the decision, with names; None without a verdict."""

    per_image: tuple[Assessment, ...] = ()
    """The same for each image; empty without a verdict."""

    surface: SurfaceName | None = None
    """The surface of the scores that determined the decision; None without a verdict."""

    lettering: tuple[tuple[Line, ...], ...] = ()
    """The lines of lettering in each image, with their text only if the request asks for a heatmap; empty if lettering
    is not read."""

    lettering_sources: tuple[LetteringSource, ...] = ()
    """Origin of each of ``pair.lettering``."""

    exceeded: frozenset[Problem] = frozenset()
    """The bounds on reading that the lettering of the images exceeds; if there are any, there is no verdict."""

    images_received: int = 0
    """Number of images in the request."""

    images_scanned: int = 0
    """Number of images that the head judged: all of them, or there is no verdict."""

    refusal: str | None = None
    """Text for the client if the decision is ``refused``, else None."""

    dropped_messages: tuple[int, ...] = ()
    """Indices of earlier messages (of turns, if there are no messages) that neither the decision nor the language model
    takes into account: refused user turns, and the answers that followed them."""

    prepare_ms: float = 0.0
    """Milliseconds for preprocessing the images and tokenising the text, including the wait for a thread."""

    queue_ms: float = 0.0
    """Milliseconds that the request waited in the queue."""

    guard_ms: float = 0.0
    """Milliseconds from pixels to verdict of the batch that the request was judged in; 0 if the verdict was cached."""

    reused: bool = False
    """Whether the verdict comes from another request, so that this request needed no pass of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of the text for the client; pieces are joined without separators."""

    text: str
    """The piece."""

    refusal: bool = False
    """Whether the piece belongs to a refusal instead of a generated reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A finished chat."""

    verdict: GuardVerdict
    """The verdict that preceded the reply."""

    content: str | None
    """The model's reply; None if the request was refused."""

    refusal: str | None
    """The refusal; None if the request was answered."""

    finish_reason: FinishReason
    """``stop``: the model ended; ``length``: the token limit was reached; ``content_filter``: refused, or cut by the
    output rail."""

    harmful: bool = False
    """Whether the output rail found the reply harmful; it was cut then, unless its policy is in shadow mode."""

    prompt_tokens: int = 0
    """Positions that the language model read, including images and safety tokens; 0 if it did not run."""

    completion_tokens: int = 0
    """Tokens that the language model generated; 0 if it did not run."""

    queue_ms: float = 0.0
    """Milliseconds that the request waited for its verdict and for a free reply slot."""

    generate_ms: float = 0.0
    """Milliseconds from joining the running replies to the last token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnguardedReply:
    """A finished reply of the bare language model, which nothing judged."""

    content: str
    """The reply."""

    finish_reason: FinishReason
    """``stop``: the model ended; ``length``: the token limit was reached."""

    prompt_tokens: int
    """Positions that the language model read, including images."""

    completion_tokens: int
    """Tokens that the language model generated."""

    queue_ms: float
    """Milliseconds that the request waited for a free reply slot."""

    generate_ms: float
    """Milliseconds from joining the running replies to the last token."""


Event = GuardVerdict | Delta | Reply
