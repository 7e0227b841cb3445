import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.runs.report import JSON_FILE, VERDICTS_FILE, Report
from safety_core.evaluation.runs.run import EvaluationConfig, evaluate
from safety_core.evaluation.runs.systems import SystemSpec, list_standard_systems
from safety_core.evaluation.runs.tables import MARKDOWN_FILE, format_report
from safety_core.evaluation.statistics.bars import DEFAULT_BARS, Bar
from safety_core.evaluation.statistics.metrics import COMPARED, TESTED
from safety_core.evaluation.suites.suite import Suite

CONFIG = EvaluationConfig(seed=3, resamples=20, batch_size=8)
BARS = (
    Bar(row="shipped", figure="handled", of="n", at_least=24),
    Bar(row="shipped", figure="handled", at_least=1.0),
)


@pytest.fixture(scope="module")
def rows(tiny_checkpoint: Path, mixed_policy: Path) -> tuple[SystemSpec, ...]:
    specs = list_standard_systems(tiny_checkpoint, stage1=tiny_checkpoint, first_token=tiny_checkpoint)
    return tuple(replace(row, policy=mixed_policy) for row in specs)


@pytest.fixture(scope="module")
def written(rows: tuple[SystemSpec, ...], varied_suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "report"
    evaluate(varied_suite.path, rows, out=out, bars=BARS, config=CONFIG, command=["safevlm", "evaluate"])
    return out


@pytest.fixture(scope="module")
def data(written: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((written / JSON_FILE).read_text())
    return loaded


def test_the_report_says_what_was_measured_on_what(data: dict[str, Any], varied_suite: Suite) -> None:
    assert data["suite"] == {"name": "toy", "sha256": varied_suite.sha256, "pairs": 24}
    assert data["command"] == ["safevlm", "evaluate"]
    assert (data["seed"], data["resamples"], data["confidence"]) == (3, 20, 0.95)
    names = ["bare", "head_only", "tokens_only", "stage1", "shipped", "first_token"]
    assert list(data["rows"]) == names
    for row in data["rows"].values():
        assert len(row["checkpoint_sha256"]) == 64
        assert "/" not in row["spec"]["checkpoint"], "no path of this machine"


def test_every_figure_has_an_interval_and_a_count_or_no_value(data: dict[str, Any]) -> None:
    for row in data["rows"].values():
        for name, figure in row["figures"].items():
            assert set(figure) == {"value", "low", "high", "n", "unscored"}, name
            assert (figure["value"] is None) == (figure["low"] is None) == (figure["high"] is None)
            assert figure["value"] is None or figure["low"] <= figure["high"], name
    assert data["rows"]["bare"]["figures"]["level_accuracy"]["value"] is None
    assert data["rows"]["shipped"]["figures"]["level_accuracy"]["value"] is not None


def test_rows_are_compared_on_the_same_pairs(data: dict[str, Any]) -> None:
    compared = {(entry["row"], entry["against"]): entry for entry in data["comparisons"]}
    assert ("shipped", "first_token") in compared
    assert ("shipped", "bare") in compared
    same = compared["shipped", "stage1"]
    # The tiny checkpoint has no adapter, so both rows are one and the same.
    assert same["differences"]["unsafe_rate"]["value"] == 0
    assert {name.split("/")[0] for name in same["differences"]} <= set(COMPARED)
    assert set(same["mcnemar"]) == set(TESTED)


def test_bars_are_checked_and_written(data: dict[str, Any]) -> None:
    assert [bar["passed"] for bar in data["bars"]] == [True, False]


def test_every_pair_of_every_row_has_its_line(written: Path, varied_suite: Suite) -> None:
    lines = [json.loads(line) for line in (written / VERDICTS_FILE).read_text().splitlines()]
    assert len(lines) == 6 * len(varied_suite.pairs)
    shipped = [line for line in lines if line["row"] == "shipped"]
    assert [line["id"] for line in shipped] == [pair.sample.id for pair in varied_suite.pairs]
    refused = [line for line in shipped if line["decision"] == "refused"]
    assert refused
    assert all(line["reply"] is None and line["kind"] == "refusal" for line in refused)
    assert all(line["decision"] is None for line in lines if line["row"] == "bare")


def test_the_tables_show_every_row_and_a_dash_for_what_was_not_measured(written: Path) -> None:
    text = (written / MARKDOWN_FILE).read_text()
    tables = text.split("## ")
    assert [table.splitlines()[0].split(",")[0] for table in tables[1:]][:2] == ["Overview", "Unsafe replies"]
    overview = tables[1].splitlines()
    assert [line.split("|")[1].strip() for line in overview[4:10]] == [
        "bare",
        "head_only",
        "tokens_only",
        "stage1",
        "shipped",
        "first_token",
    ]
    widths = {line.count("|") for line in overview if line.startswith("|")}
    assert len(widths) == 1
    head = next(table for table in tables if table.startswith("The head"))
    assert head.splitlines()[4].count("–") == 8
    assert "**NO**" in text


def test_evaluating_twice_gives_the_same_figures(
    rows: tuple[SystemSpec, ...], varied_suite: Suite, data: dict[str, Any]
) -> None:
    again = evaluate(varied_suite, rows[:1], config=CONFIG)
    assert json.loads(json.dumps(again.to_dict()))["rows"]["bare"]["figures"] == data["rows"]["bare"]["figures"]
    assert again.passed, "no bars, nothing to fail"
    assert "## Bars" not in format_report(again)
    assert "## Rows against rows" not in format_report(again)


def test_missing_rows_fail_the_default_bars(rows: tuple[SystemSpec, ...], varied_suite: Suite) -> None:
    report: Report = evaluate(varied_suite, rows[:1], bars=DEFAULT_BARS, config=CONFIG)
    assert not report.passed
    assert all(not bar.passed for bar in report.bars if bar.bar.startswith("shipped"))


def test_progress_is_told_row_by_row(rows: tuple[SystemSpec, ...], varied_suite: Suite) -> None:
    seen: list[tuple[str, int, int]] = []
    evaluate(varied_suite, rows[:1], config=CONFIG, progress=lambda *args: seen.append(args))
    assert seen == [("bare", 24, 24)]


def test_rows_must_have_names_of_their_own_and_known_opponents(varied_suite: Suite) -> None:
    row = SystemSpec(name="a", checkpoint=Path("nowhere"))
    with pytest.raises(ConfigError, match="names must differ"):
        evaluate(varied_suite, [row, row])
    with pytest.raises(ConfigError, match=r"compared with .*, which are not in the table"):
        evaluate(varied_suite, [replace(row, against=("b",))])
    with pytest.raises(ConfigError, match="at least one"):
        evaluate(varied_suite, [])
