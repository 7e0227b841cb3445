"""What a judge does: it reads one reply under one rubric. Knows no judge, no cache and no system."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from safety_core.evaluation.benchmarks.judging.rubrics import Rubric
from safety_core.evaluation.benchmarks.run_files import DecisionName, ItemResult, JudgeVerdict
from safety_core.evaluation.benchmarks.suites.items import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A reply to judge, and the request that it replies to."""

    item: Item
    reply: str
    """What the user read; empty if the system said nothing."""

    decision: DecisionName | None = None
    """The verdict that came before the reply; a refusal by the guard needs no judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a judge says of one reply under one rubric."""

    verdict: JudgeVerdict | None = None
    score: float | None = None
    """From 0 (worst) to 1 (best)."""

    unscored: str | None = None
    """Code of the reason why there is neither a verdict nor a score."""

    tokens: int | None = None
    """Tokens that were spent."""

    may_retry: bool = False
    """Whether a later run should ask again: the judge was not reached, or the budget was used up."""


class Judge(Protocol):
    """Judges replies."""

    @property
    def name(self) -> str:
        """Name of the judge, with its model if it has one."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the judge may judge otherwise."""
        ...

    def choose_rubrics(self, case: Case) -> Sequence[Rubric]:
        """Choose the rubrics that this judge applies to a case."""
        ...

    def judge(self, case: Case, rubric: Rubric) -> Opinion:
        """Judge a reply; never raises for a single case."""
        ...


def build_key(judge: Judge, rubric: Rubric, case: Case) -> str:
    """Build the key of a judgement: equal keys mean that the judge would read the very same thing."""
    parts = (judge.name, judge.version, rubric.name, case.item.id, case.item.prompt or "", case.reply)
    lengths = ",".join(str(len(part)) for part in parts)
    return hashlib.sha256("\0".join((lengths, *parts)).encode()).hexdigest()


def create_case(item: Item, result: ItemResult) -> Case | None:
    """Create the case of a result; None if there is no reply to judge, or an ability suite needs no judge."""
    if result.reply is None or result.error is not None or item.question is not None:
        return None
    return Case(item=item, reply=result.reply, decision=result.decision)
