import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from safety_core.cli.train import train
from safety_core.data.jsonl import write_jsonl

app = typer.Typer()
app.command()(train)


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
    assert "some-bad.jsonl:1: conversations: the field is missing" in result.stderr


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
