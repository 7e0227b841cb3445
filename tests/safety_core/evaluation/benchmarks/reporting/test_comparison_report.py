import json
from pathlib import Path

from safety_core.evaluation.benchmarks.reporting.comparison_report import (
    compare_folders,
    format_comparison,
    write_comparison,
)
from tests.helpers.benchmarks.run_folders import create_run_info, draw_results, write_folder


def test_a_comparison_names_both_systems_and_what_was_left_out(tmp_path: Path) -> None:
    results = draw_results(60)
    one = write_folder(tmp_path / "a", create_run_info(items=60, name="ours"), results)
    two = write_folder(tmp_path / "b", create_run_info(items=60, name="rival"), draw_results(60, seed=1)[:-1])
    comparison = compare_folders(one, two, resamples=20)
    text = format_comparison(comparison)
    assert text.startswith("# ours against rival, on sketches")
    assert "Only in the first run, and in no difference: 1 (item-59)." in text
    assert "| Right decisions |" in text
    write_comparison(comparison, tmp_path / "out")
    document = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert document["only_first"] == ["item-59"]
    assert {"name", "difference", "mcnemar"} <= set(document["figures"][0])
    assert (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8") == text


def test_runs_of_one_system_are_told_apart(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "a", create_run_info(items=20), draw_results(20))
    assert "guard (first)" in format_comparison(compare_folders(folder, folder, resamples=10))
