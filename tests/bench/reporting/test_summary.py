"""The performance page quotes the newest record of every measurement, and nothing else."""

import json
from pathlib import Path

from bench.paths import RESULTS, ROOT
from bench.reporting.summary import find_newest_records, format_summary

PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def test_the_page_shows_the_newest_records() -> None:
    assert format_summary() in PAGE


def test_every_record_says_where_and_how_it_was_made() -> None:
    for name, path in find_newest_records().items():
        record = json.loads(path.read_text(encoding="utf-8"))
        assert record["command"][:4] == ["python", "-m", "bench", name]
        assert record["commit"]
        assert record["cores"] >= 1


def test_the_newest_record_wins(tmp_path: Path) -> None:
    for date in ("2026-01-02", "2026-01-10", "2025-12-31"):
        (tmp_path / f"a-{date}.json").write_text("{}")
    assert find_newest_records(tmp_path)["a"].name == "a-2026-01-10.json"
    assert RESULTS.is_dir()
