from pathlib import Path

import pytest

from safety_core.evaluation.benchmarks.reporting.report_tables import (
    list_category_rows,
    list_judge_rows,
    list_main_rows,
    list_settings,
    list_type_rows,
)
from safety_core.evaluation.benchmarks.reporting.run_report import ReportOptions, compute_report
from tests.helpers.benchmarks.run_folders import create_run_info, draw_judgements, draw_results, write_folder

pytest.importorskip("sklearn")


def test_tables_have_a_cell_for_each_column(tmp_path: Path) -> None:
    results = draw_results(60)
    results[0] = results[0].model_copy(update={"trained_on": "id"})
    write_folder(tmp_path, create_run_info(items=60), results, draw_judgements(results))
    report = compute_report(tmp_path, ReportOptions(resamples=20))
    figures = report.figures
    assert list_main_rows(figures).header[-1] == "Never seen"
    for table in (
        list_main_rows(figures),
        list_type_rows(figures),
        list_judge_rows(figures),
        list_category_rows(figures),
    ):
        assert table is not None
        assert {len(row) for row in table.rows} == {len(table.header)}
    settings = dict(list_settings(report))
    assert settings["Checkpoint digest"] == "c" * 64
    assert settings["Max new tokens"] == "64"
    assert settings["Limit"] == "none"
