import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from safety_core.cli.train import train
from safety_core.data.jsonl import write_jsonl
from safety_core.model.checkpoint.checkpoint import verify
from tests.helpers.command_line import run_command

app = typer.Typer()
app.command()(train)

MISSING = "record: the fields image, conversations, safe_type and safe_level are missing"


@pytest.fixture
def command(untrained_checkpoint: Path, training_jsonl: Path, tmp_path: Path) -> list[str]:
    """Train for a step on three bad records among good ones, and measure on a fourth."""
    records = [json.loads(line) for line in training_jsonl.read_text(encoding="utf-8").splitlines()]
    training_jsonl.with_name("no-picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    turns = [{"from": "USER", "value": "word " * 600}, {"from": "ASSISTANT", "value": "No."}]
    unreadable = records[0] | {"id": "unreadable", "image": "no-picture.png"}
    overlong = records[0] | {"id": "overlong", "conversations": turns}
    learn, measure = training_jsonl.with_name("some-bad.jsonl"), training_jsonl.with_name("one-bad.jsonl")
    write_jsonl(learn, [{"id": "empty"}, unreadable, overlong, *records])
    write_jsonl(measure, [*records[:4], overlong])
    files = ["--backbone", str(untrained_checkpoint), "--data", str(learn), "--eval-data", str(measure)]
    limits = ["--max-steps", "1", "--batch-size", "8", "--grad-accum", "1", "--device", "cpu", "--quiet"]
    return [*files, *limits, "--out", str(tmp_path / "out")]


def test_a_bad_record_stops_the_run(command: list[str]) -> None:
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert f"some-bad.jsonl:1: {MISSING}" in result.stderr


def test_skipped_records_are_listed_and_counted(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--skip-bad"])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("skipped")]
    places = ["some-bad.jsonl:1", "some-bad.jsonl:2", "some-bad.jsonl:3", "one-bad.jsonl:5"]
    assert len(lines) == len(places) + 1
    for line, place in zip(lines, places, strict=False):
        assert line.startswith("skipped: ")
        assert f"{place}: " in line
    assert lines[-1] == "skipped 4 records"
    assert "1 steps over 28 samples" in result.stdout


def test_train_runs_from_flags_and_a_file(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    turns = [{"from": "USER", "value": "Hello"}, {"from": "ASSISTANT", "value": "Hi."}]
    record = {"image": None, "conversations": turns, "safe_type": 6, "safe_level": 0}
    write_jsonl(data, [record | {"id": "a"}, {"id": "broken"}])
    config = tmp_path / "config.yaml"
    config.write_text("batch_size: 1\ngrad_accum: 1\nmax_steps: 9\n", encoding="utf-8")
    common = ["train", "--backbone", tiny_checkpoint, "--data", data, "--config", config, "--quiet"]
    common += ["--max-steps", 2, "--set", "log_steps=1", "--device", "cpu", "--out", tmp_path / "out"]
    assert f"data.jsonl:2: {MISSING}" in run_command(*common, code=1)
    output = run_command(*common, "--skip-bad", "--run-dir", tmp_path / "run")
    assert "2 steps over 1 samples" in output
    assert verify(tmp_path / "out").spec.trained
    assert run_command("train", "--out", tmp_path / "x", code=1) == "error: the fields backbone and data are missing\n"
