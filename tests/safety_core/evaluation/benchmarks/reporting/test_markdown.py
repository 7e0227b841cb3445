from pathlib import Path

import pytest

from safety_core.evaluation.benchmarks.reporting.markdown import escape_markdown, format_run_report
from safety_core.evaluation.benchmarks.reporting.run_report import ReportOptions, compute_report
from tests.helpers.benchmarks.run_folders import create_run_info, draw_judgements, draw_results, write_folder

pytest.importorskip("sklearn")


def test_markdown_has_figures_and_configuration_but_no_prompt_and_no_reply(tmp_path: Path) -> None:
    results = draw_results(60)
    write_folder(tmp_path, create_run_info(items=60), results, draw_judgements(results))
    text = format_run_report(compute_report(tmp_path, ReportOptions(resamples=20)))
    assert text.startswith("# guard on sketches")
    for title in ("## Figures", "## Risk types", "## Judges of the replies", "## Categories", "## Configuration"):
        assert title in text
    assert "Prompt number" not in text
    assert "Reply number" not in text


def test_names_cannot_break_a_table() -> None:
    assert escape_markdown("a|b\n<c>`") == "a\\|b &lt;c>'"
