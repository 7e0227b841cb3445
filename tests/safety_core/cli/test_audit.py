import json
from pathlib import Path

import pytest

from tests.helpers.command_line import run_command
from tests.helpers.datasets.audit_sources import RESULT_FILES, write_mixed_jsonl


def test_an_audit_is_written_and_its_list_is_applied(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data, out = write_mixed_jsonl(tmp_path / "data", 12), tmp_path / "out"
    printed = run_command("audit", data, "--out", out, "--checkpoint", tiny_checkpoint, "--quiet", "--examples", 1)
    assert "13 items" in printed
    assert "unreadable: " in printed
    assert all((out / name).is_file() for name in RESULT_FILES)
    kept = data.with_name("kept.jsonl")
    printed = run_command("data", "filter", data, out / "filter.jsonl", kept, "--reason", "unreadable")
    assert (
        len(kept.read_text().splitlines())
        == 13 - json.loads((out / "summary.json").read_text())["outcomes"]["unreadable"]
    )
    assert "left out" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--kind", "zip"), "kind: must be one of"),
        (("--column", "prompt=none"), "column 'none' of prompt"),
        (("--policy", "missing.yaml"), "missing.yaml"),
    ],
)
def test_what_is_wrong_is_one_line(
    tiny_checkpoint: Path, tmp_path: Path, options: tuple[str, str], message: str
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("text\na\n")
    command = ("audit", data, "--out", tmp_path / "out", "--checkpoint", tiny_checkpoint, "--quiet")
    error = run_command(*command, *options, code=1)
    assert message in error
    assert len([line for line in error.splitlines() if line.startswith("error:")]) == 1
