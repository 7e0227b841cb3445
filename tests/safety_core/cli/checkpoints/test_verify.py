from pathlib import Path

from tests.helpers.command_line import run_command

ROOT = Path(__file__).parents[4]


def test_verify_tells_what_a_checkpoint_is(tiny_checkpoint: Path) -> None:
    output = run_command("verify", tiny_checkpoint)
    assert "sound" in output
    assert "trained" in output
    assert "insults_bullying" in output


def test_verify_names_the_damage(tiny_checkpoint: Path, tmp_path: Path) -> None:
    output = run_command("verify", tmp_path, code=1)
    assert output.startswith("error: IntegrityError: ")
