import shutil
from pathlib import Path

import pytest

from safety_core.errors import CheckpointError
from safety_core.evaluation.benchmarks.training_rows.building import add_to_checkpoint, build_training_rows
from safety_core.model.checkpoint.verification import verify
from safety_core.training_rows_file import TRAINING_ROWS_FILE, encode_training_rows
from tests.helpers.command_line import run_command
from tests.helpers.datasets.sample_records import make_record, write_records


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")


def test_a_checkpoint_with_fingerprints_is_sound_and_says_how_many(checkpoint: Path, tmp_path: Path) -> None:
    file = write_records(tmp_path, make_record(id="one", image=None), make_record(id="two", image=None))
    add_to_checkpoint(checkpoint, encode_training_rows(build_training_rows([file]).rows))
    assert verify(checkpoint).trained_records == 2
    assert "fingerprints of 2 training records" in run_command("verify", checkpoint)


def test_broken_fingerprints_make_a_checkpoint_invalid(checkpoint: Path) -> None:
    add_to_checkpoint(checkpoint, b"no safetensors")
    with pytest.raises(CheckpointError, match=TRAINING_ROWS_FILE):
        verify(checkpoint)


def test_the_command_writes_a_file_or_into_a_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    file = write_records(tmp_path, make_record(id="one", image=None, source="mine"))
    output = run_command("data", "fingerprint", file, "--out", tmp_path / "rows.safetensors", "--quiet")
    assert "1 records" in output
    run_command("data", "fingerprint", file, "--checkpoint", checkpoint, "--quiet")
    assert (checkpoint / TRAINING_ROWS_FILE).read_bytes() == (tmp_path / "rows.safetensors").read_bytes()
    assert b"one" not in (tmp_path / "rows.safetensors").read_bytes()
    run_command("data", "fingerprint", file, code=2)
