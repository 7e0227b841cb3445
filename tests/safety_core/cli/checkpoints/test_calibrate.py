import shutil
from pathlib import Path

from safety_core.evaluation.suites.suite import Suite
from safety_core.model.checkpoint.checkpoint import verify
from tests.helpers.command_line import run_command


def test_calibrate_shows_thresholds_and_writes_them(tiny_checkpoint: Path, varied_suite: Suite, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(tiny_checkpoint, checkpoint)
    before = verify(checkpoint).policy
    data = varied_suite.path / varied_suite.spec.pairs_file
    dry = run_command("calibrate", "--checkpoint", checkpoint, "--data", data, "--dry-run")
    assert verify(checkpoint).policy == before
    real = run_command("calibrate", "--checkpoint", checkpoint, "--data", data)
    assert real == dry
    assert "answerable pairs refused" in real
    assert verify(checkpoint).policy != before
