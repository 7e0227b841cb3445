from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.reporting.markdown import format_run_report
from safety_core.evaluation.benchmarks.reporting.run_report import ReportOptions, compute_report
from tests.helpers.benchmarks.run_folders import create_item, create_run_info, draw_results, write_folder

pytest.importorskip("sklearn")


def test_the_cost_of_a_guard_is_measured_against_the_bare_model(tmp_path: Path) -> None:
    results = draw_results(100, skill=0.5)
    answers = [{"expected": "yes", "given": "yes", "right": True} if one.answer else None for one in results]
    bare = [
        create_item(place, type=one.type, level=one.level, reply="Yes", answer=answers[place])
        for place, one in enumerate(results)
    ]
    guarded = write_folder(tmp_path / "guarded", create_run_info(items=100), results)
    write_folder(tmp_path / "bare", create_run_info(items=100, name="bare"), bare[1:])
    report = compute_report(guarded, ReportOptions(bare=tmp_path / "bare", resamples=50))
    assert report.utility is not None
    assert report.utility.only_guarded == 1
    lost = {one.name: one.difference.value for one in report.utility.figures}
    assert set(lost) == {"ability", "answered"}
    assert all(value is not None and value < 0 for value in lost.values())


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        compute_report(tmp_path)


def test_an_ability_suite_has_the_scores_of_its_authors(tmp_path: Path) -> None:
    answers = [{"expected": "yes", "given": given, "right": given == "yes"} for given in ("yes", "no", "yes", "yes")]
    results = [create_item(place, reply="…", answer=answer) for place, answer in enumerate(answers)]
    suite = {"name": "seed", "digest": "d", "items": 4}
    write_folder(tmp_path, create_run_info(suite=suite), results)
    report = compute_report(tmp_path, ReportOptions(resamples=20))
    assert report.scores["accuracy"].value == 0.75
    assert report.figures.overall["ability"].value == 0.75
    assert "| accuracy | 0.75 | 4 | 0 |" in format_run_report(report)
