import json
from pathlib import Path

import pytest

from safety_core.evaluation.benchmarks.reporting.run_report import ReportOptions
from safety_core.evaluation.benchmarks.reporting.writing import HTML_FILE, JSON_FILE, MARKDOWN_FILE, write_report
from tests.helpers.benchmarks.run_folders import create_run_info, draw_results, write_folder

for library in ("sklearn", "matplotlib", "jinja2"):
    pytest.importorskip(library)


def test_a_report_can_be_written_again_with_the_same_content(tmp_path: Path) -> None:
    write_folder(tmp_path, create_run_info(items=30), draw_results(30))
    contents = []
    for _ in range(2):
        write_report(tmp_path, ReportOptions(resamples=20))
        contents.append([(tmp_path / name).read_bytes() for name in (JSON_FILE, MARKDOWN_FILE, HTML_FILE)])
    assert contents[0] == contents[1]
    document = json.loads(contents[0][0])
    assert document["run"]["system"]["digest"] == "c" * 64
    assert document["figures"]["overall"]["detection"]["n"] == 18
    assert "Prompt number" not in contents[0][0].decode()
