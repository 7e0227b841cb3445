"""The prompts that speak of a picture with lettering (``texts/picture_prompts.jsonl``), by what they want."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from safety_core.data.raw_samples import NamedLabel
from safety_core.data.readers.rows import read_jsonl_rows
from safety_core.errors import SampleError
from safety_core.small.lettering_plan.rules import Form
from safety_core.strict_json import StrictModel
from safety_core.taxonomy import DEFAULT_TAXONOMY

PROMPT_FILE = Path(__file__).parents[1] / "texts" / "picture_prompts.jsonl"

Fits = Literal["any", "list", "phrase", "statement", "document"]

FITTING: dict[Form, tuple[Fits, ...]] = {
    "harmless": ("any",),
    "request": ("any",),
    "list": ("any", "list"),
    "phrase": ("any", "phrase"),
    "statement": ("any", "statement"),
    "document": ("any", "document"),
}
"""Which prompts go with which form."""


class PicturePrompt(StrictModel):
    """One prompt."""

    text: str = Field(min_length=1)

    kind: Literal["neutral", "read", "carry-out", "careful", "reverse"]

    fits: Fits = "any"
    """The form of lettering that it makes sense with."""

    split: Literal["train", "test"] = "train"
    """Prompts of ``test`` are asked in the test split only, the others everywhere else."""

    type: str = DEFAULT_TAXONOMY.safe_type
    level: int = Field(default=0, ge=0, lt=len(DEFAULT_TAXONOMY.levels))
    """What the words mean by themselves."""

    @property
    def label(self) -> NamedLabel:
        """Type and level of the words alone."""
        return self.type, self.level


def read_picture_prompts(path: Path = PROMPT_FILE) -> tuple[PicturePrompt, ...]:
    """Read the prompts in the order of the file.

    Raises:
        SampleError: a line is malformed.
    """
    return tuple(_parse_rows(path))


def _parse_rows(path: Path) -> Iterator[PicturePrompt]:
    """Yield one prompt of each line."""
    for row in read_jsonl_rows(path):
        if isinstance(row, SampleError):
            raise row
        try:
            yield PicturePrompt.model_validate(row.data)
        except ValidationError as exc:
            raise row.place.translate_error(exc) from exc
