"""A guard without a model: it decides as it is told and talks in given pieces. For the engine's and server's tests."""

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from safety_core.engine.judging.decision import named_verdict, without_verdict
from safety_core.engine.judging.variant_decision import ruled
from safety_core.engine.messages import (
    ChatRequest,
    FinishReason,
    GuardInfo,
    GuardRequest,
    GuardVerdict,
    Judged,
    Prepared,
    Work,
)
from safety_core.errors import GenerationError
from safety_core.inputs.prompts import Turn
from safety_core.policy.book import ActivePolicy
from safety_core.policy.policy import Decision, Policy
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

MASS = {Decision.ALLOWED: 0, Decision.CAUTIONED: 1, Decision.REFUSED: -1}

CANARY = GuardRequest(turns=(Turn(role="user", text="canary"),))


class SilentObserver:
    """Counts nothing."""

    def batch(self, queue: str, size: int) -> None: ...

    def tokens(self, kind: str, count: int) -> None: ...

    def cache(self, outcome: str) -> None: ...


@dataclass(eq=False)
class FakeRow:
    """Satisfies RowLike."""

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
class FakeMade:
    """Satisfies MadeLike."""

    row: FakeRow
    piece: str


@dataclass
class FakeGenerator:
    """Satisfies GeneratorLike: one piece of every row a step."""

    guard: "FakeGuard"
    rows: list[FakeRow] = field(default_factory=list)

    @property
    def running(self) -> int:
        return len(self.rows)

    def row(self, job: ChatRequest) -> FakeRow:
        return FakeRow(self.guard.pieces)

    def fits(self, joining: Sequence[FakeRow]) -> bool:
        return len(self.rows) + len(joining) <= self.guard.max_replies

    def admit(self, rows: Sequence[FakeRow]) -> list[FakeMade]:
        self.rows += rows
        self.guard.began.set()
        return [FakeMade(row, "") for row in rows]

    def step(self) -> list[FakeMade]:
        if not self.guard.between.wait(0.005):
            return []
        if self.guard.fault_in_step is not None:
            fault, self.guard.fault_in_step = self.guard.fault_in_step, None
            raise fault
        made = []
        for row in self.rows:
            if row.token_ids and self.guard.late_failure is not None:
                row.failure = self.guard.late_failure
                made.append(FakeMade(row, ""))
            else:
                row.token_ids.append(len(row.token_ids))
                made.append(FakeMade(row, row.pieces[len(row.token_ids) - 1]))
        self.rows = [row for row in self.rows if not row.done]
        return made

    def drop(self, row: FakeRow) -> None:
        if row in self.rows:
            self.rows.remove(row)
            self.guard.stopped.set()

    def release(self) -> None: ...


@dataclass
class FakeGuard:
    """Satisfies GuardLike."""

    decision: Decision | None = Decision.ALLOWED
    """What it decides; None stands for a failed judgement."""

    pieces: Sequence[str] = ("It is ", "a red", " apple.")
    failure: Exception | None = None
    """Raised in place of preparing."""

    fault: BaseException | None = None
    """Raised in place of judging, once: the worker dies of it."""

    fault_in_step: BaseException | None = None
    """Raised in place of a step, once: the worker dies of it."""

    late_failure: Exception | None = None
    """What every reply fails with after its first piece."""

    wrong: str | None = None
    """What the canary is complained of."""

    taxonomy: Taxonomy = DEFAULT_TAXONOMY
    max_replies: int = 8
    fingerprint: str = "fake"
    gate: threading.Event = field(default_factory=threading.Event)
    """Judging waits for it, the canary's left out; set from the start unless a test clears it. Longer than a test may
    take on a busy machine: what is held back must not begin to fail by itself."""

    between: threading.Event = field(default_factory=threading.Event)
    """Each step waits for it, likewise."""

    requests: list[GuardRequest] = field(default_factory=list)
    """What was judged, the canary left out."""

    side: int | None = None
    """Side of the pictures that its model reads."""

    batches: list[int] = field(default_factory=list)
    """Sizes of the batches that were judged, canaries included."""

    began: threading.Event = field(default_factory=threading.Event)
    """Set when a reply joined those that run."""

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
        )

    @property
    def canary(self) -> GuardRequest:
        return CANARY

    def complaint(self, verdict: GuardVerdict) -> str | None:
        return self.wrong

    def use_cores(self, cores: int) -> None:
        self.cores.append(cores)

    def fold_in_process(self) -> "FakeGuard":
        return self

    def close(self) -> None:
        pass

    def prepare(self, request: GuardRequest) -> Prepared:
        if self.failure is not None:
            raise self.failure
        return Prepared(request=request, cost=max(1, len(request.images)))

    def judge(self, batch: Sequence[Prepared]) -> list[Judged | Exception]:
        self.batches.append(len(batch))
        asked = [prepared.request for prepared in batch if prepared.request is not CANARY]
        self.requests += asked
        assert not asked or self.gate.wait(240)
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        return [Judged(verdict=self.assess(prepared.request)) for prepared in batch]

    def judge_in_slices(self, batch: Sequence[Prepared]) -> Generator[Work, None, list[Judged | Exception]]:
        yield from ()
        return self.judge(batch)

    def job(self, judged: Judged, request: ChatRequest) -> Any:
        if judged.verdict.refusal is not None:
            raise GenerationError("a refused request reached the generator")
        return request

    def generator(self) -> FakeGenerator:
        return FakeGenerator(self)

    def assess(self, request: GuardRequest) -> GuardVerdict:
        """The verdict that everybody gets."""
        rules = request.rules or ActivePolicy(policy=Policy.create_default(self.taxonomy))
        if self.decision is None:
            return without_verdict(rules.policy, self.taxonomy, request)
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
        worst, others = ruled(rules, self.taxonomy, [request.turns], [pair])
        assert worst.scores is not None
        verdict = named_verdict(rules.policy, self.taxonomy, request, pair, worst.verdict, worst.scores)
        return replace(verdict, readings=(pair,), others=others)
