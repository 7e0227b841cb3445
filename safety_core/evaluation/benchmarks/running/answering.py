"""Has a system answer the items of a suite; an item that was answered before is not asked again.

Results are appended one by one. An item that failed because of the server or the engine is asked again when the run is
resumed; one that cannot be answered, such as a broken picture, is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from safety_core.evaluation.benchmarks.run_files import (
    RESULTS_FILE,
    GivenAnswer,
    ItemResult,
    LineAppender,
    TrainedOn,
    read_results,
)
from safety_core.evaluation.benchmarks.running.thumbnails import write_thumbnails
from safety_core.evaluation.benchmarks.suites.abilities.questions import find_answer
from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.evaluation.benchmarks.systems.system import Result, System
from safety_core.evaluation.benchmarks.worker_threads import run_in_threads

Progress = Callable[[int, int], None]

Mark = Callable[[Item], TrainedOn | None]
"""Finds out whether the system was trained on an item."""


def list_unanswered(folder: Path, items: Sequence[Item]) -> list[Item]:
    """List the items of a run that have no result, or failed for a reason that may have passed."""
    done = {result.id for result in read_results(folder) if result.error is None or not is_transient(result.error)}
    return [item for item in items if item.id not in done]


def is_transient(error: str) -> bool:
    """Whether an item that failed with this code may be answered later: the server or the engine was at fault."""
    return re.fullmatch(r"unreachable|timed_out|http_(408|409|425|429|5\d\d)(/.*)?|[A-Z]\w*Error", error) is not None


def answer_items(
    folder: Path,
    system: System,
    items: Sequence[Item],
    *,
    mark: Mark | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> int:
    """Answer all items that have no result yet.

    Args:
        folder: folder of the run.
        system: the system.
        items: all items of the run.
        mark: marks items that the system was trained on; None if nothing is known.
        workers: number of items that are asked at a time; more than one only for systems that threads may share.
        progress: called with the items that are answered, and all of them.

    Returns:
        The number of items that were asked.

    Raises:
        ConfigError: no item can be answered, or a line of the results is malformed.
    """
    missing = list_unanswered(folder, items)
    before = len(items) - len(missing)
    if progress is not None:
        progress(before, len(items))
    with LineAppender[ItemResult](folder / RESULTS_FILE) as appender:
        for done, result in enumerate(_answer(folder, system, missing, mark, workers), start=before + 1):
            appender.append(result)
            if progress is not None:
                progress(done, len(items))
    return len(missing)


def build_result(item: Item, result: Result, trained_on: TrainedOn | None = None) -> ItemResult:
    """Build the line of an item from what the system made of it."""
    return ItemResult(
        id=item.id,
        group=item.group,
        source=item.source,
        category=item.category,
        type=item.type,
        level=item.level,
        risky=item.is_risky,
        pictures=tuple(picture.sha256 for picture in item.pictures),
        prompt=item.prompt,
        decision=result.decision,
        risk=result.risk,
        risk_type=result.risk_type,
        type_scores=None if result.type_scores is None else dict(result.type_scores),
        level_scores=result.level_scores,
        reply=result.reply,
        seconds=result.seconds,
        answer=_build_answer(item, result),
        trained_on=trained_on,
        error=result.error,
    )


def _answer(
    folder: Path, system: System, items: Sequence[Item], mark: Mark | None, workers: int
) -> Iterator[ItemResult]:
    def run(item: Item) -> ItemResult:
        write_thumbnails(folder, item)
        return build_result(item, system.answer(item), None if mark is None else mark(item))

    return run_in_threads(run, items, workers=workers)


def _build_answer(item: Item, result: Result) -> GivenAnswer | None:
    """Read the answer to a question: a refusal is a wrong answer, no reply at all is none."""
    if item.question is None or (result.reply is None and result.error is None):
        return None  # no question, or a system that only judges
    expected = item.question.expected
    if result.error is not None:
        return GivenAnswer(expected=expected, given=None, right=None)
    refused = result.decision == "refused"
    given = None if refused or result.reply is None else find_answer(item.question, result.reply)
    return GivenAnswer(expected=expected, given=given, right=given == expected)
