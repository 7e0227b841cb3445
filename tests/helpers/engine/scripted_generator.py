"""A generator that yields given words, and a judge that looks for single words in them."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from safety_core.engine.generation.output_rail import ReplyDecision
from safety_core.engine.protocols import StepOutput
from safety_core.errors import GenerationError


class ScriptedGenerator:
    """Says each row's words one by one."""

    def __init__(self) -> None:
        self.sequences: list[Any] = []
        self.dropped: list[Any] = []

    @property
    def running(self) -> int:
        return len(self.sequences)

    def create_sequence(self, request: Any) -> Any:
        return SimpleNamespace(
            words=list(request.words), done=False, failure=None, finish_reason=None, prompt_positions=3, token_ids=[]
        )

    def fits(self, joining: Sequence[Any]) -> bool:
        return len(self.sequences) + len(joining) <= 4

    def admit(self, rows: Sequence[Any]) -> list[Any]:
        self.sequences += rows
        return [self._next(row) for row in rows]

    def step(self) -> list[Any]:
        return [self._next(row) for row in list(self.sequences)]

    def drop(self, row: Any) -> None:
        self.dropped.append(row)
        self.sequences.remove(row)

    def release_memory(self) -> None: ...

    def _next(self, row: Any) -> Any:
        word = row.words.pop(0)
        row.token_ids.append(word)
        if word == "FAIL":
            row.done, row.failure, word = True, GenerationError("it broke"), ""
        elif not row.words:
            row.done, row.finish_reason = True, "stop"
        if row.done:
            self.sequences.remove(row)
        return StepOutput(row, word)


def judge_by_words(texts: Sequence[str], policies: Sequence[Any]) -> list[ReplyDecision | None]:
    """Judges by words; the policies say what becomes of bad ones."""
    return [
        None if "?" in text else policy if "BAD" in text else ReplyDecision.RELEASE
        for text, policy in zip(texts, policies, strict=True)
    ]
