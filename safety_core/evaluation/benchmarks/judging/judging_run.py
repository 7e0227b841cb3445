"""Has judges read the replies of a run; what was judged before is not judged again.

Judgements are appended one by one. A reply that the judge could not be asked about (it was not reached, or the budget
was used up) is written as unscored, and asked about again when the run is resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from safety_core.evaluation.benchmarks.judging.judge import Case, Judge, Opinion, build_key, create_case
from safety_core.evaluation.benchmarks.judging.rubrics import Rubric
from safety_core.evaluation.benchmarks.run_files import (
    JUDGEMENTS_FILE,
    ItemResult,
    JudgementLine,
    LineAppender,
    read_judgements,
    read_lines,
)
from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.evaluation.benchmarks.worker_threads import run_in_threads

Task = tuple[str, Case, Rubric]
"""Key, reply and rubric."""

Progress = Callable[[int, int], None]

LASTING = frozenset({"judgement_unreadable", "no_kind", "picture_unreadable"})
"""Reasons for which a reply stays unscored: the judge would say the same again."""


def judge_replies(
    folder: Path,
    judge: Judge,
    items: Sequence[Item],
    results: Iterable[ItemResult],
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> int:
    """Judge all replies that one judge has not judged yet.

    Args:
        folder: folder of the run.
        judge: the judge.
        items: the items of the run.
        results: their results.
        workers: number of replies that are judged at a time.
        progress: called with the replies that are judged, and all of them.

    Returns:
        The number of judgements that were added.

    Raises:
        ConfigError: the judge's endpoint rejects every request, or a line of the cache is malformed.
    """
    by_id = {item.id: item for item in items}
    cases = [case for result in results if (case := create_case(by_id[result.id], result)) is not None]
    tasks = [(build_key(judge, rubric, case), case, rubric) for case in cases for rubric in judge.choose_rubrics(case)]
    known = {line.key for line in read_judgements(folder) if line.unscored is None or line.unscored in LASTING}
    missing = [task for task in tasks if task[0] not in known]
    with LineAppender[JudgementLine](folder / JUDGEMENTS_FILE) as appender:
        for done, line in enumerate(_judge(judge, missing, workers), start=len(tasks) - len(missing) + 1):
            appender.append(line)
            if progress is not None:
                progress(done, len(tasks))
    return len(missing)


def count_spent(folder: Path, judge_name: str) -> int:
    """Count the tokens that a judge has spent in a run, also on replies that it was asked about twice."""
    lines = read_lines(folder / JUDGEMENTS_FILE, JudgementLine)
    return sum(line.tokens or 0 for line in lines if line.judge == judge_name)


def _judge(judge: Judge, tasks: Sequence[Task], workers: int) -> Iterator[JudgementLine]:
    def run(task: Task) -> JudgementLine:
        key, case, rubric = task
        return _build_line(key, case, rubric, judge, judge.judge(case, rubric))

    return run_in_threads(run, tasks, workers=workers)


def _build_line(key: str, case: Case, rubric: Rubric, judge: Judge, opinion: Opinion) -> JudgementLine:
    return JudgementLine(
        key=key,
        id=case.item.id,
        judge=judge.name,
        rubric=rubric.name,
        verdict=opinion.verdict,
        score=opinion.score,
        unscored=opinion.unscored,
        tokens=opinion.tokens,
    )
