"""The output rail: judges replies while they are generated, and withholds their text until it has been judged.

Every ``window`` tokens (fewer at the beginning, see ``reply_windows``) the newest text is judged. The released text is
always one window behind the generated text, so a reply that turns harmful is cut before its harmful words are sent; the
text after the cut is dropped, with ``content_filter`` as the reason. Fail closed: a reply that cannot be judged fails.
Under a policy in shadow mode the reply continues, and is only marked as harmful.
Wraps a generator and has its interface. Knows no torch, no model and no policy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from safety_core.engine.exceptions import describe
from safety_core.engine.generation.reply_windows import ReplyWindows
from safety_core.engine.messages import FinishReason
from safety_core.engine.protocols import GenerationRequestLike, GeneratorLike, ReplySequenceLike, StepOutput
from safety_core.errors import GenerationError
from safety_core.policy.named_policies import ActivePolicy

_logger = logging.getLogger(__name__)


class ReplyDecision(StrEnum):
    """The decision on a part of a reply."""

    RELEASE = "release"
    CUT = "cut"
    WOULD_CUT = "would_cut"
    """The policy would cut the reply, but is in shadow mode."""


DecideReplies = Callable[[Sequence[str], Sequence[ActivePolicy | None]], Sequence[ReplyDecision | None]]
"""Decides on each text under its policy; None if there is no verdict."""


@dataclass(slots=True, eq=False)
class RailedSequence:
    """A reply that is being generated; only its released text is visible."""

    inner: ReplySequenceLike
    """The sequence of the wrapped generator."""

    windows: ReplyWindows
    """The text of the reply that is still to be judged or released."""

    policy: ActivePolicy | None = None
    """The policy for judging the reply; the guard's own if None."""

    text: str = ""
    """The text released so far."""

    harmful: bool = False
    """Whether the reply was judged harmful."""

    cut: bool = False
    """Whether the reply was cut because it was harmful."""

    unjudged: bool = False
    """Whether judging the reply failed."""

    @property
    def done(self) -> bool:
        """Whether the reply has ended or failed."""
        return self.cut or self.unjudged or self.inner.done

    @property
    def failure(self) -> Exception | None:
        """The error that the reply failed with; None if it did not fail."""
        if self.unjudged:
            return GenerationError("the reply could not be judged")
        return None if self.cut else self.inner.failure

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the reply ended; None while it runs, and if it failed."""
        if self.cut:
            return "content_filter"
        return None if self.unjudged else self.inner.finish_reason

    @property
    def prompt_positions(self) -> int:
        """Positions of the prompt."""
        return self.inner.prompt_positions

    @property
    def token_ids(self) -> Sequence[int]:
        """All generated tokens, including those whose text was never released."""
        return self.inner.token_ids


class RailedGenerator:
    """A generator whose replies are judged while they are generated.

    Args:
        generator: generates the replies.
        judge: judges texts of several replies at once.
        window: tokens between two judgements of a reply; the released text is delayed by as many.
    """

    def __init__(self, generator: GeneratorLike, judge: DecideReplies, *, window: int) -> None:
        self._generator = generator
        self._judge = judge
        self._window = window
        self._sequences: dict[int, RailedSequence] = {}

    @property
    def running(self) -> int:
        """Number of running sequences."""
        return self._generator.running

    def create_sequence(self, request: GenerationRequestLike) -> RailedSequence:
        """Create a sequence that does not run yet; raises as the generator does."""
        return RailedSequence(self._generator.create_sequence(request), ReplyWindows(self._window), request.policy)

    def fits(self, joining: Sequence[ReplySequenceLike]) -> bool:
        """Whether there is room for sequences in addition to the running ones."""
        return self._generator.fits([_require_own(sequence).inner for sequence in joining])

    def admit(self, sequences: Sequence[ReplySequenceLike]) -> list[StepOutput[RailedSequence]]:
        """Start sequences: read their prompts and generate the first token of each."""
        joining = [_require_own(sequence) for sequence in sequences]
        self._sequences |= {id(sequence.inner): sequence for sequence in joining}
        return self._process(self._generator.admit([sequence.inner for sequence in joining]))

    def step(self) -> list[StepOutput[RailedSequence]]:
        """Generate one token of every running sequence."""
        return self._process(self._generator.step())

    def drop(self, sequence: ReplySequenceLike) -> None:
        """Stop a sequence."""
        inner = _require_own(sequence).inner
        self._sequences.pop(id(inner), None)
        self._generator.drop(inner)

    def release_memory(self) -> None:
        """Free memory that no running sequence needs."""
        self._generator.release_memory()

    def _process(self, outputs: Sequence[StepOutput[ReplySequenceLike]]) -> list[StepOutput[RailedSequence]]:
        """Process the new text of a step: judge the sequences that are due, and release the judged text."""
        sequences: list[RailedSequence] = []
        for output in outputs:
            sequence = self._sequences.get(id(output.sequence))
            if sequence is not None:
                sequence.windows.push(output.text)
                sequences.append(sequence)
        due = self._select_due([sequence for sequence in sequences if sequence.failure is None])
        for sequence, decision in zip(due, self._decide_or_fail(due), strict=True):
            sequence.windows.mark_judged()
            sequence.harmful |= decision in (ReplyDecision.CUT, ReplyDecision.WOULD_CUT)
            sequence.cut, sequence.unjudged = decision is ReplyDecision.CUT, decision is None
            if sequence.done and not sequence.inner.done:
                self._generator.drop(sequence.inner)
        released = [StepOutput(sequence, self._release(sequence)) for sequence in sequences]
        for sequence in sequences:
            if sequence.done:
                self._sequences.pop(id(sequence.inner), None)
        return released

    def _select_due(self, sequences: Sequence[RailedSequence]) -> list[RailedSequence]:
        """Select the sequences to judge now: if any has ended or filled its window, also all with nearly full windows.

        Sequences that were judged together are due together again, so many replies need hardly more passes than a
        single one.
        """
        due = [sequence for sequence in sequences if sequence.inner.done or sequence.windows.full]
        return [sequence for sequence in sequences if sequence in due or sequence.windows.nearly_full] if due else []

    def _decide_or_fail(self, due: Sequence[RailedSequence]) -> Sequence[ReplyDecision | None]:
        """Decide on some sequences; if that raises, each is judged separately, and a second failure gives None."""
        try:
            decisions = self._decide(due)
            if len(decisions) == len(due):
                return decisions
        except Exception as exc:
            _logger.error("replies were not judged: %s", describe(exc))
        if len(due) == 1:
            return [None]
        return [decision for sequence in due for decision in self._decide_or_fail([sequence])]

    def _decide(self, due: Sequence[RailedSequence]) -> Sequence[ReplyDecision | None]:
        """Decide on the newest text of some sequences; blank text is not judged."""
        texts = [sequence.windows.get_text() for sequence in due]
        judged = [(text, sequence.policy) for text, sequence in zip(texts, due, strict=True) if text.strip()]
        decisions = iter(self._judge([text for text, _ in judged], [policy for _, policy in judged]) if judged else ())
        return [next(decisions) if text.strip() else ReplyDecision.RELEASE for text in texts]

    def _release(self, sequence: RailedSequence) -> str:
        """Release the withheld text that may be sent now: all text of an ended reply, otherwise all but one window."""
        if sequence.cut or sequence.failure is not None:
            sequence.windows.discard()
            return ""
        text = sequence.windows.release_all() if sequence.done else sequence.windows.release()
        sequence.text += text
        return text


def _require_own(sequence: ReplySequenceLike) -> RailedSequence:
    assert isinstance(sequence, RailedSequence), "a generator runs its own sequences"
    return sequence
