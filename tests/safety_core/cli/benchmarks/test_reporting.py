import json
from pathlib import Path

import pytest

from tests.helpers.benchmarks.run_folders import create_run_info, draw_results, write_folder
from tests.helpers.command_line import run_command


def test_two_runs_are_compared_as_a_table_or_as_json(tmp_path: Path) -> None:
    one = write_folder(tmp_path / "a", create_run_info(items=30, name="ours"), draw_results(30))
    two = write_folder(tmp_path / "b", create_run_info(items=30, name="rival"), draw_results(30, seed=1))
    text = run_command("evaluate", "compare", one, two, "--resamples", 20, "--out", tmp_path / "out")
    assert "# ours against rival" in text
    assert (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8") == text
    document = json.loads(run_command("evaluate", "compare", one, two, "--resamples", 20, "--json"))
    assert document["common"] == 30


def test_runs_on_different_suites_are_refused(tmp_path: Path) -> None:
    one = write_folder(tmp_path / "a", create_run_info(items=5), draw_results(5))
    two = write_folder(tmp_path / "b", create_run_info(items=5, digest="b" * 64), draw_results(5))
    assert "different suites" in run_command("evaluate", "compare", one, two, code=1)


def test_a_report_is_written_into_the_folder_of_its_run(tmp_path: Path) -> None:
    for library in ("sklearn", "matplotlib", "jinja2"):
        pytest.importorskip(library)
    folder = write_folder(tmp_path / "a", create_run_info(items=31), draw_results(30))
    output = run_command("evaluate", "report", folder, "--resamples", 20)
    assert "guard was measured on 30 items" in output
    assert {"report.html", "report.md", "report.json"} <= {file.name for file in folder.iterdir()}


def test_evaluate_without_a_suite_says_what_is_needed() -> None:
    assert "--suite" in run_command("evaluate", code=2)
