"""Reads the wordings of questions about photographs, and the wordings of answers. Knows no photographs."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ValidationError

from safety_core.data.readers.fields import FilledText
from safety_core.data.readers.rows import read_jsonl_rows
from safety_core.errors import SampleError
from safety_core.small.corpus.reading.own_texts import QUESTIONS_FILE
from safety_core.strict_json import StrictModel

Kind = Literal["describe", "name", "yes-no", "count", "place", "person", "unknowable"]
AnswerForm = Literal["short", "sentence", "any"]

ANSWERS_FILE = Path(__file__).parents[1] / "assets" / "answers.yaml"

Wordings = dict[str, dict[str, list[str]]]
"""Kind of answer → form → wordings with fields in braces."""


class _QuestionRow(StrictModel):
    """One line of the file of questions."""

    text: FilledText
    kind: Kind
    about: str = ""
    answer: AnswerForm = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One wording of a question."""

    text: str
    """The question; ``{a}``, ``{the}``, ``{plural}``, ``{where}`` and ``{person}`` stand for what it asks about."""

    kind: Kind

    about: str
    """What of several things a question of this kind asks for: ``count`` of ``photographs`` or of ``things`` …"""

    answer: AnswerForm
    """The form of answer that it asks for."""


@cache
def read_questions(file: Path | None = None) -> dict[tuple[Kind, str], tuple[Question, ...]]:
    """Read the questions by kind and by what they are about.

    Raises:
        SampleError: the file cannot be read, or a line is malformed.
    """
    found: dict[tuple[Kind, str], list[Question]] = defaultdict(list)
    path = file or Path(str(resources.files("safety_core.small"))) / "texts" / QUESTIONS_FILE
    for row in read_jsonl_rows(path):
        if isinstance(row, SampleError):
            raise row
        try:
            content = _QuestionRow.model_validate(row.data)
        except ValidationError as exc:
            raise row.place.translate_error(exc) from exc
        question = Question(text=content.text, kind=content.kind, about=content.about, answer=content.answer)
        found[question.kind, question.about].append(question)
    return {key: tuple(questions) for key, questions in found.items()}


@cache
def read_wordings() -> Wordings:
    """Read the wordings of answers."""
    wordings: Wordings = yaml.safe_load(ANSWERS_FILE.read_text(encoding="utf-8"))
    return wordings
