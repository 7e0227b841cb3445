from pathlib import Path

from PIL import Image

from safety_core.cli.main import app
from tests.helpers.command_line import run_command, runner


def test_the_former_name_still_works_and_names_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "1.png")
    arguments = ("folder", str(tmp_path / "pictures"), str(tmp_path / "out.jsonl"), "--skip-bad")
    result = runner.invoke(app, ["convert", *arguments])
    assert result.exit_code == 0
    assert "safevlm data import" in result.stderr
    assert result.stdout == run_command("data", "import", *arguments)
    assert "Deprecated" in run_command("convert", "--help")
