"""One run: opens its folder, answers the items, and has the replies judged. Can be stopped at any time and resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safety_core.evaluation.benchmarks.judging.judge import Judge
from safety_core.evaluation.benchmarks.judging.judging_run import judge_replies
from safety_core.evaluation.benchmarks.run_files import (
    ItemResult,
    JudgementLine,
    RunInfo,
    TaxonomyInfo,
    read_judgements,
    read_results,
)
from safety_core.evaluation.benchmarks.running.answering import Mark, answer_items, list_unanswered
from safety_core.evaluation.benchmarks.running.conditions import list_versions, read_commit
from safety_core.evaluation.benchmarks.running.run_folder import lock_folder, open_run
from safety_core.evaluation.benchmarks.suites.opening import OpenedSuite
from safety_core.evaluation.benchmarks.systems.system import System

Advance = Callable[[str, int, int], None]
"""Called with the name of a task, the steps that are done, and all steps."""

CreateJudge = Callable[[Path], Judge]
"""Creates a judge for the run in a folder, whose earlier judgements count towards its budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a system is run on a suite."""

    judges: Sequence[CreateJudge] = ()
    """Judges that read the replies, one after the other."""

    mark: Mark | None = None
    """Marks items that the system was trained on; None if nothing is known."""

    workers: int = 1
    """Items that are asked at a time, and replies that are judged at a time."""

    seed: int = 0
    """Seed of the choice of items."""

    command: Sequence[str] = ()
    """The command line, for the record."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further options that influence results."""

    progress: Advance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """What a run's folder contains."""

    folder: Path
    run: RunInfo
    results: list[ItemResult]
    judgements: list[JudgementLine]


def run_benchmark(folder: Path, suite: OpenedSuite, system: System, options: RunOptions) -> FinishedRun:
    """Run a system on a suite, or go on with a run that was stopped.

    Args:
        folder: the run's folder.
        suite: the opened suite.
        system: the system.
        options: judges, seed and record.

    Raises:
        ConfigError: the folder contains another run, another process writes into it, or an endpoint rejects everything.
    """
    with lock_folder(folder):
        run = open_run(
            folder,
            RunInfo(
                suite=suite.info,
                system=system.info,
                taxonomy=TaxonomyInfo.of(suite.taxonomy),
                policy=None if system.policy is None else dict(system.policy),
                commit=read_commit(),
                command=tuple(options.command),
                seed=options.seed,
                settings=dict(options.settings),
                versions=list_versions(),
            ),
            must_answer=bool(list_unanswered(folder, suite.items)),
        )
        answer_items(
            folder,
            system,
            suite.items,
            mark=options.mark,
            workers=options.workers,
            progress=_name_progress(options.progress, f"{system.info.name}: items"),
        )
        results = read_results(folder)
        for create in options.judges:
            judge = create(folder)
            judge_replies(
                folder,
                judge,
                suite.items,
                results,
                workers=options.workers,
                progress=_name_progress(options.progress, f"{system.info.name}: {judge.name}"),
            )
        return FinishedRun(folder=folder, run=run, results=results, judgements=read_judgements(folder))


def _name_progress(progress: Advance | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)
