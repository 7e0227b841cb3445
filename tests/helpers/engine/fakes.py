"""A guard without a model, with configurable decisions and replies. For tests of the engine and the server."""

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

from safety_core.engine.guard_info import Fallback, GuardInfo
from safety_core.engine.judging.variant_decision import decide_variants
from safety_core.engine.judging.verdicts import build_unjudged_verdict, build_verdict
from safety_core.engine.messages import ChatRequest, FinishReason, GuardRequest, GuardVerdict
from safety_core.engine.protocols import GenerationRequestLike, ReplySequenceLike, StepOutput
from safety_core.engine.work import JudgedRequest, PreparedRequest, Work
from safety_core.errors import GenerationError, JudgeOnlyError
from safety_core.inputs.conversation import Turn
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Decision, Policy
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

MASS = {Decision.ALLOWED: 0, Decision.CAUTIONED: 1, Decision.REFUSED: -1}

CANARY = GuardRequest(turns=(Turn(role="user", text="canary"),))


class SilentObserver:
    """An observer that records nothing."""

    def record_batch(self, queue: str, size: int) -> None: ...

    def record_tokens(self, kind: str, count: int) -> None: ...

    def record_cache(self, outcome: str) -> None: ...

    def record_reading(self, outcome: str, seconds: float) -> None: ...


@dataclass(eq=False)
class FakeSequence:
    """Implements ReplySequenceLike."""

    pieces: Sequence[str]
    prompt_positions: int = 7
    token_ids: list[int] = field(default_factory=list)
    failure: Exception | None = None
    harmful: bool = False

    @property
    def text(self) -> str:
        return "".join(self.pieces[: len(self.token_ids)])

    @property
    def finish_reason(self) -> FinishReason | None:
        return "stop" if len(self.token_ids) == len(self.pieces) and self.failure is None else None

    @property
    def done(self) -> bool:
        return self.finish_reason is not None or self.failure is not None


@dataclass
class FakeGenerator:
    """Implements GeneratorLike: one piece of every sequence a step."""

    guard: "FakeGuard"
    sequences: list[FakeSequence] = field(default_factory=list)

    @property
    def running(self) -> int:
        return len(self.sequences)

    def create_sequence(self, request: GenerationRequestLike) -> FakeSequence:
        is_unguarded = any(request is unguarded for unguarded in self.guard.unguarded)
        return FakeSequence(self.guard.bare_pieces or () if is_unguarded else self.guard.pieces)

    def fits(self, joining: Sequence[ReplySequenceLike]) -> bool:
        return len(self.sequences) + len(joining) <= self.guard.max_replies

    def admit(self, sequences: Sequence[ReplySequenceLike]) -> list[StepOutput[FakeSequence]]:
        own = [_require_own(sequence) for sequence in sequences]
        self.sequences += own
        self.guard.began.set()
        return [StepOutput(sequence, "") for sequence in own]

    def step(self) -> list[StepOutput[FakeSequence]]:
        if not self.guard.between.wait(0.005):
            return []
        if self.guard.fault_in_step is not None:
            fault, self.guard.fault_in_step = self.guard.fault_in_step, None
            raise fault
        outputs = []
        for sequence in self.sequences:
            if sequence.token_ids and self.guard.late_failure is not None:
                sequence.failure = self.guard.late_failure
                outputs.append(StepOutput(sequence, ""))
            else:
                sequence.token_ids.append(len(sequence.token_ids))
                outputs.append(StepOutput(sequence, sequence.pieces[len(sequence.token_ids) - 1]))
        self.sequences = [sequence for sequence in self.sequences if not sequence.done]
        return outputs

    def drop(self, sequence: ReplySequenceLike) -> None:
        own = _require_own(sequence)
        if own in self.sequences:
            self.sequences.remove(own)
            self.guard.stopped.set()

    def release_memory(self) -> None: ...


def _require_own(sequence: ReplySequenceLike) -> FakeSequence:
    assert isinstance(sequence, FakeSequence)
    return sequence


@dataclass
class FakeGuard:
    """Implements GuardLike."""

    decision: Decision | None = Decision.ALLOWED
    """Its decision; None stands for a failed judgement."""

    pieces: Sequence[str] = ("It is ", "a red", " apple.")
    bare_pieces: Sequence[str] | None = None
    """The pieces of its unguarded replies; None if it cannot give any."""

    failure: Exception | None = None
    """Raised in place of preparing."""

    fault: BaseException | None = None
    """Raised in place of judging, once: the worker dies of it."""

    fault_in_step: BaseException | None = None
    """Raised in place of a step, once: the worker dies of it."""

    late_failure: Exception | None = None
    """The failure of every reply after its first piece."""

    wrong: str | None = None
    """The failure of the canary."""

    taxonomy: Taxonomy = DEFAULT_TAXONOMY
    max_replies: int = 8
    fingerprint: str = "fake"
    gate: threading.Event = field(default_factory=threading.Event)
    """Judging waits for it, except of the canary; set from the start unless a test clears it. The wait is longer than a
    test may take on a busy machine, so that what is held back does not fail by itself."""

    between: threading.Event = field(default_factory=threading.Event)
    """Each step waits for it, in the same way."""

    requests: list[GuardRequest] = field(default_factory=list)
    """The requests that were judged, except the canary."""

    unguarded: list[ChatRequest] = field(default_factory=list)
    """The requests for unguarded replies."""

    fallback: Fallback | None = None
    """Why its checkpoint is served instead of the configured one."""

    side: int | None = None
    """Side of the pictures that the model reads, in pixels."""

    batches: list[int] = field(default_factory=list)
    """Sizes of the batches that were judged, including canaries."""

    began: threading.Event = field(default_factory=threading.Event)
    """Set when a reply has been started."""

    stopped: threading.Event = field(default_factory=threading.Event)
    """Set when a reply was dropped."""

    def __post_init__(self) -> None:
        self.gate.set()
        self.cores: list[int] = []
        self.between.set()

    @property
    def info(self) -> GuardInfo:
        return GuardInfo(
            checkpoint="fake",
            backbone="included",
            device="cpu",
            dtype="float32",
            taxonomy=self.taxonomy,
            policy=Policy.create_default(self.taxonomy),
            image_side=self.side,
            compares=self.bare_pieces is not None,
            fallback=self.fallback,
        )

    @property
    def canary(self) -> GuardRequest:
        return CANARY

    def find_canary_failure(self, verdict: GuardVerdict) -> str | None:
        return self.wrong

    def use_cores(self, cores: int) -> None:
        self.cores.append(cores)

    def fold_in_process(self) -> "FakeGuard":
        return self

    def close(self) -> None:
        pass

    def prepare(self, request: GuardRequest) -> PreparedRequest:
        if self.failure is not None:
            raise self.failure
        return PreparedRequest(request=request, cost=max(1, len(request.images)))

    def judge(self, batch: Sequence[PreparedRequest]) -> list[JudgedRequest | Exception]:
        self.batches.append(len(batch))
        asked = [prepared.request for prepared in batch if prepared.request is not CANARY]
        self.requests += asked
        assert not asked or self.gate.wait(240)
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        return [JudgedRequest(verdict=self.assess(prepared.request)) for prepared in batch]

    def judge_in_slices(
        self, batch: Sequence[PreparedRequest]
    ) -> Generator[Work, None, list[JudgedRequest | Exception]]:
        yield from ()
        return self.judge(batch)

    def create_generation_request(self, judged: JudgedRequest, request: ChatRequest) -> ChatRequest:
        if judged.verdict.refusal is not None:
            raise GenerationError("a refused request reached the generator")
        return request

    def create_unguarded_request(self, request: ChatRequest) -> ChatRequest:
        if self.bare_pieces is None:
            raise JudgeOnlyError("it was not asked to compare")
        if self.failure is not None:
            raise self.failure
        self.unguarded.append(request)
        return request

    def create_generator(self) -> FakeGenerator:
        return FakeGenerator(self)

    def assess(self, request: GuardRequest) -> GuardVerdict:
        """The verdict on every request."""
        active = request.policy or ActivePolicy(policy=Policy.create_default(self.taxonomy))
        if self.decision is None:
            return build_unjudged_verdict(active.policy, self.taxonomy, request)
        level = MASS[self.decision] % len(self.taxonomy.levels)
        scores = RiskScores(
            types=tuple(
                0.9 if index == 0 else 0.1 / (len(self.taxonomy.types) - 1)
                for index, _ in enumerate(self.taxonomy.types)
            ),
            levels=tuple(1.0 if index == level else 0.0 for index, _ in enumerate(self.taxonomy.levels)),
        )
        text = scores if request.turns else None
        image = scores if request.images else None
        pair = PairScores(
            joint=scores if text and image else None,
            per_image=(scores,) * len(request.images),
            image=image,
            text=text,
            heatmaps=(((0.1, 0.2), (0.3, 0.4)),) * len(request.images) if request.heatmap else (),
        )
        worst, others = decide_variants(active, self.taxonomy, [request.turns], [pair])
        assert worst.scores is not None
        verdict = build_verdict(active.policy, self.taxonomy, request, pair, worst.verdict, worst.scores)
        return replace(verdict, variant_scores=(pair,), others=others)
