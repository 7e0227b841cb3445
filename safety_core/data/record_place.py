"""The place of a record in a data file, and errors that name it. Knows no file format."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from safety_core.errors import SampleError
from safety_core.strict_json import find_problem


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """A file and a line in it."""

    file: Path

    line: int = 0
    """Line or number of the record, from 1; 0 stands for the whole file."""

    def create_error(self, message: str, field: str) -> SampleError:
        """Create an error about a field of the record."""
        return SampleError(message, file=str(self.file), line=self.line, field=field)

    def translate_error(self, error: ValidationError) -> SampleError:
        """Create the error for the first field that a validation rejected, e.g. ``conversations[0].from``."""
        problem = find_problem(error)
        parts = (f"[{part}]" if part.isdecimal() else f".{part}" for part in problem.place)
        return self.create_error(problem.problem, "".join(parts).lstrip(".") or "record")
