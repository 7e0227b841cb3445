"""Samples: a labelled request with its images and, where there is one, the reply to learn.

Knows no file format, no torch and no model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from safety_core.errors import SampleError
from safety_core.inputs.conversation import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLabel:
    """A gold label, as indices into the taxonomy."""

    type: int
    """Index of the risk type."""

    level: int
    """Index of the risk level; 0 is harmless."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One labelled request, with the reply to learn where there is one."""

    id: str
    """Name of the sample, unique within its file."""

    images: tuple[Path, ...]
    """Images, in the order in which the model sees them."""

    conversation: tuple[Turn, ...]
    """Alternating turns that begin with the user; the last one is the assistant's if there is a reply to learn."""

    label: RiskLabel
    """Risk of the whole request: all images with the whole conversation."""

    image_risk: RiskLabel | None = None
    """Risk of the images alone, if it was labelled."""

    text_risk: RiskLabel | None = None
    """Risk of the user's texts alone, if it was labelled."""

    source: str = ""
    """Data set that the record comes from."""

    meta: Mapping[str, Any] = field(default_factory=dict)
    """Columns that evaluation suites add; training ignores them."""

    file: str = ""
    """The JSONL file, for error messages."""

    line: int = 0
    """Line in the file, from 1."""

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """The prompt: the conversation up to and including the last user turn."""
        return self.conversation[:-1] if self.answer is not None else self.conversation

    @property
    def answer(self) -> str | None:
        """The reply at the end of the conversation, or None."""
        last = self.conversation[-1] if self.conversation else None
        return last.text if last is not None and last.role == "assistant" else None

    def create_error(self, message: str, field: str) -> SampleError:
        """Create an error about a field of this sample, with its file and line."""
        return SampleError(message, file=self.file, line=self.line, field=field)
