"""One smoke build for every test that looks at what a build leaves behind."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from safety_core.cli.main import app


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
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


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A smoke build, made once."""
    root = tmp_path_factory.mktemp("nano") / "smoke"
    return Built(root=root, output=build_smoke(root))
