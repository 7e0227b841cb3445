from pathlib import Path

import pytest

from safety_core.small.corpus.labels.tables import format_rules
from tests.helpers.command_line import run_command
from tests.helpers.datasets.world_folder import write_rows, write_world


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("datasketch")
    pytest.importorskip("imagehash")
    monkeypatch.chdir(tmp_path)
    return write_world(tmp_path / "data")


def test_splits_are_written_and_compared(data: Path, tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    assert "records split" in run_command("small", "split", "--data", data, "--out", lists)
    assert "split as listed" in run_command("small", "split", "--data", data, "--out", lists, "--check")
    write_rows(data / "texts" / "benign_paired.jsonl", [{"text": "Where do otters sleep when it rains?"}])
    before = {file.name: file.read_bytes() for file in lists.iterdir()}
    assert "test: " in run_command("small", "split", "--data", data, "--out", lists, "--check", code=1)
    assert {file.name: file.read_bytes() for file in lists.iterdir()} == before


def test_data_prints_counts_and_keeps_what_is_slow_in_the_build_folder(data: Path, tmp_path: Path) -> None:
    assert "## Records by set and split" in run_command("small", "data", "--data", data)
    assert (tmp_path / "build" / "safevlm-small" / "near-duplicates.json").is_file()


def test_a_folder_without_sets_is_an_error(tmp_path: Path) -> None:
    assert "holds no set" in run_command("small", "data", "--data", tmp_path, code=1)


def test_a_malformed_line_is_one_line_of_error(data: Path) -> None:
    (data / "texts" / "catqa.jsonl").write_text("{\n")
    assert "catqa.jsonl:1: record: the line is not valid JSON" in run_command("small", "data", "--data", data, code=1)


def test_rules_are_printed() -> None:
    assert run_command("small", "rules") == format_rules()
