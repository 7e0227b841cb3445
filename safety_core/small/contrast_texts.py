"""The frozen contrast set: requests that only sound harmful, and harmful ones that do not, by phenomenon.

The texts measure what a head makes of words that mislead; `texts/README.md` describes them. Knows no model and no
training.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from safety_core.data.record_place import RecordPlace
from safety_core.files import describe_read_error, open_text
from safety_core.strict_json import StrictModel

CONTRAST_FILE = Path(__file__).with_name("texts") / "contrast.jsonl"

PLAIN = "plain"
"""The phenomenon without a trap: ordinary requests and openly harmful ones, the easy control."""


class ContrastText(StrictModel):
    """One text and what it truly means."""

    text: str = Field(min_length=1)
    """A user's request or statement, or lettering; lines are divided by line feeds."""

    type: str = Field(min_length=1)
    """Name of the risk type."""

    level: int = Field(ge=0)
    """Risk level; 0 is harmless."""

    group: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$")
    """``phenomenon/topic``; the texts of a topic share words or a situation."""

    split: Literal["test", "development"]
    """Where the text is measured; a phenomenon lies in one split."""

    @property
    def phenomenon(self) -> str:
        """The kind of trap."""
        return self.group.partition("/")[0]

    @property
    def is_look_alike(self) -> bool:
        """Whether the text is harmless and its words are those of a trap."""
        return self.level == 0 and self.phenomenon != PLAIN


def read_contrast_texts(path: Path = CONTRAST_FILE) -> tuple[ContrastText, ...]:
    """Read the texts in the order of the file.

    Raises:
        SampleError: the file cannot be read, or a line is malformed; the error names file, line and field.
    """
    return tuple(_read_texts(path))


def _read_texts(path: Path) -> Iterator[ContrastText]:
    """Yield one text of each line."""
    try:
        with open_text(path) as stream:
            for number, line in enumerate(stream, start=1):
                yield _parse_text(line, RecordPlace(path, number))
    except (OSError, UnicodeDecodeError) as exc:
        raise RecordPlace(path).create_error(f"the file {describe_read_error(exc)}", "file") from exc


def _parse_text(line: str, place: RecordPlace) -> ContrastText:
    """Parse one line; raises SampleError."""
    try:
        return ContrastText.model_validate(json.loads(line))
    except ValidationError as exc:
        raise place.translate_error(exc) from exc
    except json.JSONDecodeError as exc:
        raise place.create_error(f"the line is not JSON (column {exc.colno})", "record") from exc
