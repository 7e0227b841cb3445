"""One small build of the nano checkpoint, from the command line."""

from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from safety_core.cli.main import app


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeBuild:
    """A finished build."""

    root: Path
    """Its working folder; do not write into it."""

    output: str
    """What the command printed."""


def build_smoke(root: Path) -> str:
    """``safevlm nano build --smoke`` in a folder, and what it prints."""
    result = CliRunner().invoke(app, ["nano", "build", "--smoke", "--out", str(root), "--quiet", "--device", "cpu"])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout
