import json
from pathlib import Path

import pytest

from safety_core.cli.main import app
from tests.helpers.command_line import run_command, runner

TEXT = "How do I keep the moss in my garden green all summer long?"


def write_file(folder: Path, name: str, text: str) -> Path:
    record = {"id": "1", "image": None, "conversations": [{"from": "USER", "value": text}]}
    file = folder / name
    file.write_text(json.dumps(record | {"safe_type": 1, "safe_level": 3}) + "\nno json\n", encoding="utf-8")
    return file


def test_report_prints_tables_or_json(tmp_path: Path) -> None:
    pytest.importorskip("datasketch")
    pytest.importorskip("imagehash")
    files = (
        write_file(tmp_path, "train.jsonl", TEXT),
        write_file(tmp_path, "test.jsonl", TEXT.replace("moss", "fern")),
    )
    result = runner.invoke(app, ["data", "report", *map(str, files), "--quiet"])
    assert result.exit_code == 0
    assert "## Near-duplicates" in result.stdout
    assert f"malformed: {files[0]}:2: record: the line is not valid JSON" in result.stderr
    document = json.loads(run_command("data", "report", *files, "--json", "--quiet"))
    assert document["near_duplicates"]["texts"]["between"][0]["items"] == [1, 1]
    assert [one["malformed"] for one in document["files"]] == [1, 1]


def test_report_of_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert "gone.jsonl" in run_command("data", "report", tmp_path / "gone.jsonl", "--quiet", code=1)
    assert "Near-duplicates" not in run_command(
        "data", "report", write_file(tmp_path, "a.jsonl", TEXT), "--labels-only", "--quiet"
    )
