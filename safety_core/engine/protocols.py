"""The interfaces between the serving side of the engine and a guard. Knows no torch and no HTTP.

:class:`safety_core.engine.guard.Guard` implements :class:`GuardLike`; :class:`.generation.generator.Generator` and
:class:`.generation.output_rail.RailedGenerator` implement :class:`GeneratorLike`. A guard and its generator work only
with the requests and sequences that they created themselves, whose types the serving side does not know.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from safety_core.engine.guard_info import GuardInfo
from safety_core.engine.messages import ChatRequest, FinishReason, GuardRequest, GuardVerdict
from safety_core.engine.work import JudgedRequest, PreparedRequest, Work
from safety_core.policy.named_policies import ActivePolicy


class GenerationRequestLike(Protocol):
    """A request for a reply, as a guard creates it for its generator."""

    @property
    def policy(self) -> ActivePolicy | None:
        """The policy of the output rail for the reply; the guard's own if None."""


class ReplySequenceLike(Protocol):
    """A reply that is being generated."""

    @property
    def done(self) -> bool:
        """Whether the reply has ended or failed."""

    @property
    def failure(self) -> Exception | None:
        """The error that the reply failed with; None if it did not fail."""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the reply ended; None while it runs, and if it failed."""

    @property
    def harmful(self) -> bool:
        """Whether the output rail judged the reply harmful."""

    @property
    def text(self) -> str:
        """Text of the reply so far."""

    @property
    def prompt_positions(self) -> int:
        """Positions of the prompt."""

    @property
    def token_ids(self) -> Sequence[int]:
        """Tokens of the reply so far."""


SequenceT_co = TypeVar("SequenceT_co", bound=ReplySequenceLike, covariant=True)


@dataclass(frozen=True, slots=True)
class StepOutput(Generic[SequenceT_co]):
    """What one step of a generator produced for one sequence."""

    sequence: SequenceT_co
    """The sequence, which may be done after the step."""

    text: str
    """New text that is final; often empty, since a character can take several tokens."""


class GeneratorLike(Protocol):
    """Generates several replies together, one token of each per step; used by one thread."""

    @property
    def running(self) -> int:
        """Number of running sequences."""

    def create_sequence(self, request: GenerationRequestLike) -> ReplySequenceLike:
        """Create a sequence that does not run yet."""

    def fits(self, joining: Sequence[ReplySequenceLike]) -> bool:
        """Whether there is room for sequences in addition to the running ones."""

    def admit(self, sequences: Sequence[ReplySequenceLike]) -> Sequence[StepOutput[ReplySequenceLike]]:
        """Start sequences: read their prompts and generate the first token of each."""

    def step(self) -> Sequence[StepOutput[ReplySequenceLike]]:
        """Generate one token of every running sequence."""

    def drop(self, sequence: ReplySequenceLike) -> None:
        """Stop a sequence."""

    def release_memory(self) -> None:
        """Free memory that no running sequence needs."""


class Closeable(Protocol):
    """A resource that must be closed."""

    def close(self) -> None:
        """Release the resource."""


class GuardLike(Protocol):
    """The interface of a guard for servers."""

    @property
    def info(self) -> GuardInfo:
        """The checkpoint and device of the guard."""

    @property
    def fingerprint(self) -> str:
        """Identifies checkpoint and policy: guards with equal fingerprints reach equal verdicts."""

    def prepare(self, request: GuardRequest) -> PreparedRequest:
        """Preprocess a request without running the model; may be called in any thread. Raises InputError."""

    def fold_in_process(self) -> Closeable:
        """Undo disguises of long texts in a child process until the returned object is closed."""

    def use_cores(self, cores: int) -> None:
        """Limit the model to a number of cores; only in the model's thread."""

    def judge(self, batch: Sequence[PreparedRequest]) -> Sequence[JudgedRequest | Exception]:
        """Return each request's verdict, or the error that prevented it; only in the model's thread."""

    def judge_in_slices(
        self, batch: Sequence[PreparedRequest]
    ) -> Generator[Work, None, Sequence[JudgedRequest | Exception]]:
        """Judge as :meth:`judge` does, with a pause after every few tens of milliseconds.

        Yields the work done since the last pause. Closing the generator early abandons the batch.
        """

    def create_generation_request(self, judged: JudgedRequest, request: ChatRequest) -> GenerationRequestLike:
        """Create the generator's input for a reply; may be called in any thread. Raises InputError."""

    def create_unguarded_request(self, request: ChatRequest) -> GenerationRequestLike:
        """Create the generator's input for a reply of the bare language model; may be called in any thread.

        Raises InputError, and JudgeOnlyError unless the guard ``compares``.
        """

    def create_generator(self) -> GeneratorLike:
        """Create a generator, which is used in the model's thread only."""

    @property
    def canary(self) -> GuardRequest:
        """A request whose verdict is known."""

    def find_canary_failure(self, verdict: GuardVerdict) -> str | None:
        """Describe what is wrong with a verdict on the canary; None if it is as expected."""
