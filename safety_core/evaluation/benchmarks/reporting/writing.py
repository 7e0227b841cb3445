"""Writes the report of a run into the run's folder, as often as wanted.

``report.json`` has all figures, ``report.md`` the tables, and ``report.html`` is the page for people. JSON and Markdown
contain no prompt, no reply and no picture.
"""

from __future__ import annotations

import json
from pathlib import Path

from safety_core.evaluation.benchmarks.reporting.markdown import format_run_report
from safety_core.evaluation.benchmarks.reporting.page import render_page
from safety_core.evaluation.benchmarks.reporting.run_report import ReportOptions, RunReport, compute_report
from safety_core.files import write_text

JSON_FILE, MARKDOWN_FILE, HTML_FILE = "report.json", "report.md", "report.html"


def write_report(folder: Path, options: ReportOptions | None = None) -> RunReport:
    """Compute the report of a run's folder and write its three files there.

    Raises:
        ConfigError: the folder contains no run, no item is left, the bare run is on another suite, or the extra
            ``eval`` is not installed.
    """
    report = compute_report(folder, options)
    page = render_page(report, folder)
    write_text(folder / JSON_FILE, json.dumps(report.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    write_text(folder / MARKDOWN_FILE, format_run_report(report))
    write_text(folder / HTML_FILE, page)
    return report
