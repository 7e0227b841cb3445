"""The generator of a guard that was loaded to judge only: it never runs a sequence."""

from __future__ import annotations

from collections.abc import Sequence

from safety_core.engine.protocols import GenerationRequestLike, ReplySequenceLike, StepOutput
from safety_core.errors import JudgeOnlyError


class NoGenerator:
    """A generator without a language model."""

    @property
    def running(self) -> int:
        """Always 0."""
        return 0

    def create_sequence(self, request: GenerationRequestLike) -> ReplySequenceLike:
        """Always raise JudgeOnlyError."""
        raise JudgeOnlyError("this guard was loaded to judge only")

    def fits(self, joining: Sequence[ReplySequenceLike]) -> bool:
        """Whether there is nothing to run."""
        return not joining

    def admit(self, sequences: Sequence[ReplySequenceLike]) -> list[StepOutput[ReplySequenceLike]]:
        """Start nothing; there can be no sequences."""
        return []

    def step(self) -> list[StepOutput[ReplySequenceLike]]:
        """Do nothing."""
        return []

    def drop(self, sequence: ReplySequenceLike) -> None:
        """Do nothing."""

    def release_memory(self) -> None:
        """Do nothing."""
