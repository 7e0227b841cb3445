"""Evaluations that are more than a suite of pairs: named, with rows, figures and bars of their own.

Each is one line of ``RUNS`` and one function, imported when the evaluation is asked for, so that it may live in a
package above this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name

from safety_core.errors import ConfigError
from safety_core.evaluation.runs.run import EvaluationConfig, SystemProgress
from safety_core.evaluation.statistics.bars import Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a registered evaluation is asked to do."""

    checkpoint: Path
    """The checkpoint to measure."""

    build: Path
    """Folder for files that are made on the way, below which nothing is committed."""

    out: Path
    """Folder for the report."""

    data: Path | None = None
    """Folder of the data that the evaluation needs; None if the user named none."""

    split: str = "test"
    """Part of the data to measure on."""

    rows: Mapping[str, Path] = field(default_factory=dict)
    """Row → checkpoint, of rows that need one of their own."""

    only: tuple[str, ...] = ()
    """Rows to measure; all if empty."""

    limit: int | None = None
    """Maximum number of items of each sort, for a quick look; None for a whole run."""

    bars: Sequence[Bar] | None = None
    """Requirements in place of the evaluation's own."""

    check_bars: bool = False
    """Whether the requirements are checked."""

    config: EvaluationConfig = field(default_factory=EvaluationConfig)
    """Seed, draws and device."""

    command: Sequence[str] = ()
    """The command line, for the record."""

    progress: SystemProgress | None = None
    """Called after each item of a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The outcome of a registered evaluation."""

    text: str
    """Its tables as Markdown."""

    passed: bool
    """Whether every checked bar is cleared."""


RunFunction = Callable[[RunRequest], RunResult]


@dataclass(frozen=True, slots=True)
class RegisteredRun:
    """One evaluation that is known by name."""

    function: str
    """Import path of its :data:`RunFunction`, as ``module:function``."""

    checkpoint: Path
    """Checkpoint that it measures by default, relative to the repository's root."""

    def run(self, request: RunRequest) -> RunResult:
        """Import the function and call it; raises what it raises."""
        function: RunFunction = resolve_name(self.function)
        return function(request)


RUNS: Mapping[str, RegisteredRun] = {
    "real": RegisteredRun("safety_core.small.evaluation.run:evaluate_real", Path("weights/safevlm-small")),
}
"""Name → evaluation."""


def parse_rows(entries: Sequence[str]) -> dict[str, Path]:
    """Parse entries of the form ``ROW=FOLDER``; raises ConfigError if one has another form or a row occurs twice."""
    rows: dict[str, Path] = {}
    for entry in entries:
        name, sign, folder = entry.partition("=")
        if not name or not sign or not folder or name in rows:
            raise ConfigError(f"--row: ROW=FOLDER is needed, each row once, got {entry!r}")
        rows[name] = Path(folder)
    return rows
