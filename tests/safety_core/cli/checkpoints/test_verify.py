import shutil
from pathlib import Path

from safety_core.cli.main import app
from safety_core.model.checkpoint.checkpoint import update_policy, update_score_calibration, verify
from safety_core.score_calibration import ScoreCalibration
from tests.helpers.calibration.guarantees import GUARANTEE
from tests.helpers.command_line import run_command, runner

ROOT = Path(__file__).parents[4]


def test_verify_tells_what_a_checkpoint_is(tiny_checkpoint: Path) -> None:
    output = run_command("verify", tiny_checkpoint)
    assert "sound" in output
    assert "trained" in output
    assert "insults_bullying" in output
    assert "guarantee  none" in output


def test_verify_tells_that_a_guarantee_is_for_other_scores(tiny_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))
    update_policy(checkpoint, verify(checkpoint).policy, GUARANTEE)
    result = runner.invoke(app, ["verify", str(checkpoint)])
    assert "guarantee  with probability 0.95, at most 1.000%" in result.stdout
    assert "the guarantee is for other scores" in result.stderr
    update_score_calibration(checkpoint, ScoreCalibration(type_temperature=1.5))
    assert "other scores" not in runner.invoke(app, ["verify", str(checkpoint)]).stderr


def test_verify_names_the_damage(tiny_checkpoint: Path, tmp_path: Path) -> None:
    output = run_command("verify", tmp_path, code=1)
    assert output.startswith("error: IntegrityError: ")
