"""What the readers of ability suites return: questions with the files of their pictures. Knows no layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from safety_core.data.record_place import RecordPlace
from safety_core.errors import SampleError
from safety_core.evaluation.benchmarks.suites.abilities.questions import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRow:
    """One question about one picture."""

    id: str
    group: str
    """Questions that count together: a pair of MME, the rotations of MMBench; otherwise the question alone."""

    category: str
    """The set's name of the task."""

    text: str
    """The question as it is asked."""

    image: Path | bytes
    question: Question
    place: RecordPlace


QuestionRows = Iterator[QuestionRow | SampleError]
"""Questions, and an error in the place of each malformed record."""

ReadQuestions = Callable[[Path], QuestionRows]
"""Reads the questions in a folder or a file."""


def find_below(name: str, *folders: Path) -> Path | None:
    """Find a file that a record names in one of several folders; None if there is none, or it is outside of them."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:
        return None
    return next((path for folder in folders if (path := folder / relative).is_file()), None)
