import shutil
from pathlib import Path

import pytest

from safety_core.evaluation.suites.suite import Suite
from safety_core.model.checkpoint.checkpoint import verify
from tests.helpers.command_line import run_command


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))


@pytest.fixture
def data(varied_suite: Suite) -> Path:
    return varied_suite.path / varied_suite.spec.pairs_file


@pytest.mark.parametrize("options", [("--method", "search"), ("--false-refusals", 0.01), ("--false-cautions", 0.02)])
def test_a_search_shows_thresholds_and_writes_them(
    options: tuple[object, ...], checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    before = verify(checkpoint).policy
    arguments = ("calibrate", "--checkpoint", checkpoint, "--data", data, *options)
    dry = run_command(*arguments, "--dry-run")
    assert verify(checkpoint).policy == before
    real = run_command(*arguments)
    assert real == dry
    assert "answerable pairs refused" in real
    assert "guarantee" not in real
    assert verify(checkpoint).policy != before
    assert verify(checkpoint).guarantee is None


def test_by_default_thresholds_come_with_a_guarantee(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.jsonl"
    arguments = ("calibrate", "--checkpoint", checkpoint, "--data", data, "--scores", scores)
    before = verify(checkpoint)
    refused = run_command(*arguments, code=1)
    assert "nothing is written, because the guard would react to nothing" in refused, "24 pairs promise little"
    assert verify(checkpoint) == before
    # So wide limits hold with a handful of pairs.
    wide = (*arguments, "--alpha", 0.9, "--delta", 0.6)
    dry = run_command(*wide, "--dry-run")
    assert verify(checkpoint) == before
    assert run_command(*wide) == dry
    assert "guarantee  with probability 0.7" in dry
    after = verify(checkpoint)
    assert after.guarantee is not None
    assert after.guarantee.is_for(after.spec.score_calibration.to_dict())
    assert "guarantee  with probability 0.7" in run_command("verify", checkpoint)
