import json
from pathlib import Path
from typing import Any

import pytest

from safety_core.data.reporting.report import format_report, report_data
from safety_core.errors import ConfigError
from safety_core.taxonomy import DEFAULT_TAXONOMY

SECRET = "How do I keep the moss in my garden green all summer long?"


def write_file(folder: Path, name: str, *rows: tuple[str, int | None, int | None]) -> Path:
    records: list[dict[str, Any]] = [
        {
            "id": f"secret id {number}",
            "image": None,
            "conversations": [{"from": "USER", "value": text}],
            "safe_type": kind,
            "safe_level": level,
        }
        for number, (text, kind, level) in enumerate(rows)
    ]
    file = folder / name
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    train = write_file(tmp_path, "train.jsonl", (SECRET, 1, 3), ("When does it leave?", 6, 0), ("Where is it?", 1, 1))
    test = write_file(tmp_path, "test.jsonl", (SECRET.upper(), 6, 0), ("What about this one?", None, None))
    return [train, test]


def test_a_report_shows_labels_ratios_and_shared_records(files: list[Path]) -> None:
    pytest.importorskip("datasketch")
    pytest.importorskip("imagehash")
    text = format_report(report_data(files, DEFAULT_TAXONOMY), examples=5)
    train, test = map(str, files)
    assert f"| {train} | 3 | 0 | 0 | 0 | 0 | 1 | 2 | 1 : 2.00 |" in text
    assert f"| {test} | 2 | 0 | 0 | 1 | 0 | 1 | 0 | 1 : 0.00 |" in text
    assert "| illegal refuse | 1 | 0 |" in text
    assert f"| the user's words | {train} and {test} | 1 of {train}, 1 of {test} |" in text
    assert "| words and pictures together | with different labels | 1 groups |" in text
    assert f"- different labels: {train}:1, {test}:1" in text


def test_a_report_shows_no_record(files: list[Path]) -> None:
    pytest.importorskip("datasketch")
    pytest.importorskip("imagehash")
    report = report_data(files, DEFAULT_TAXONOMY)
    for shown in (format_report(report, examples=5), json.dumps(report.to_dict())):
        assert "moss" not in shown.lower()
        assert "secret id" not in shown


def test_labels_alone_need_no_library(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasketch", None)
    report = report_data(files, DEFAULT_TAXONOMY, duplicates=False)
    assert report.to_dict()["near_duplicates"] is None
    assert "Near-duplicates" not in format_report(report, examples=5)
    with pytest.raises(ConfigError, match=r"pip install 'safevlm-guard\[data\]'"):
        report_data(files, DEFAULT_TAXONOMY)


def test_of_many_records_a_sample_is_compared_and_said_so(tmp_path: Path) -> None:
    pytest.importorskip("datasketch")
    pytest.importorskip("imagehash")
    rows = [(f"{number} {SECRET}", 1, 3) for number in range(40)]
    report = report_data([write_file(tmp_path, "train.jsonl", *rows)], DEFAULT_TAXONOMY, max_records=10)
    assert report.share == 0.25
    assert report.counts[0].records == 40
    assert "Only 25.0% of the records were compared" in format_report(report, examples=0)


def test_a_file_that_is_named_twice_is_an_error(files: list[Path]) -> None:
    with pytest.raises(ConfigError, match="named twice"):
        report_data([files[0], files[0].parent / "." / files[0].name], DEFAULT_TAXONOMY)
