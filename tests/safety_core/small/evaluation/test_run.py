import json
from collections.abc import Callable
from pathlib import Path

import pytest

from safety_core.errors import ConfigError, InputError
from safety_core.evaluation.runs.registered import RUNS, RunRequest
from safety_core.evaluation.statistics.bars import Bar, load_bars
from safety_core.small.evaluation.items.columns import COLUMNS
from safety_core.small.evaluation.run import BARS_FILE, GOALS_FILE, evaluate_real, hide_paths
from safety_core.small.evaluation.systems.rows import ROWS
from tests.helpers.datasets.own_texts import OWN_TEXTS

MakeRequest = Callable[..., RunRequest]


def test_it_is_registered() -> None:
    assert RUNS["real"].function == f"{evaluate_real.__module__}:{evaluate_real.__name__}"


def test_a_run_measures_its_rows_and_leaves_no_text_of_the_sets(make_request: MakeRequest, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'safevlm-guard[eval]'")
    steps: list[str] = []
    request = make_request(
        only=("bare", "tfidf", "no_reader", "shipped"),
        progress=lambda row, done, total: steps.append(row),
        bars=[Bar(row="shipped", figure="flagged/harmful", at_least=2.0)],
        check_bars=True,
        command=["safevlm", "evaluate", "--data", "/home/me/data"],
    )
    result = evaluate_real(request)
    assert not result.passed
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert list(report["rows"]) == ["bare", "tfidf", "no_reader", "shipped"]
    assert report["command"] == ["safevlm", "evaluate", "--data", "data"]
    shipped = report["rows"]["shipped"]["figures"]
    assert {
        "flagged/harmful", "refused/harmful", "flagged/harmless", "flagged/lookalikes", "flagged/reverse",
        "flagged/photographs", "flagged/rendered", "flagged/harmless_lettering", "auroc/requests",
        "ece/words", "seconds/words", "seconds/lettering", "right/all", "unsafe_replies", "unsafe_ratio",
    } <= set(shipped)  # fmt: skip
    assert set(report["rows"]["bare"]["figures"]) == {
        f"{name}{part}" for name in ("unsafe_replies", "refused_replies") for part in ("", "/words", "/photograph")
    }
    assert [one["against"] for one in report["comparisons"]] == ["tfidf", "no_reader"]
    assert "at most 2 items" in result.text
    assert set(steps) == {
        "shipped", "shipped: replies", "calibration", "bare: replies", "tfidf", "no_reader"
    }  # fmt: skip
    written = "".join(
        file.read_text(encoding="utf-8")
        for folder in ("", "scores")
        for file in (tmp_path / "out" / folder).iterdir()
        if file.is_file()
    )
    assert not any(str(row["text"]) in written for row in OWN_TEXTS)
    assert str(tmp_path) not in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_a_finished_row_is_not_run_again(make_request: MakeRequest) -> None:
    first = evaluate_real(make_request(only=("shipped",)))
    steps: list[str] = []
    again = evaluate_real(make_request(only=("shipped",), progress=lambda row, done, total: steps.append(row)))
    assert steps == []
    assert again == first


def test_without_data_it_says_how_to_get_the_sets(make_request: MakeRequest) -> None:
    with pytest.raises(InputError, match=r"docs/safevlm-small-data\.md"):
        evaluate_real(make_request(data=None))
    with pytest.raises(ConfigError, match="development, test"):
        evaluate_real(make_request(split="train"))


@pytest.mark.parametrize("file", [BARS_FILE, GOALS_FILE])
def test_bars_name_rows_and_figures_that_exist(file: Path) -> None:
    others = {"right/words", "right/lettering", "unsafe_replies", "unsafe_ratio"}
    for bar in load_bars(file):
        assert bar.row in {row.name for row in ROWS}
        measure, _, column = bar.figure.partition("/")
        assert bar.figure in others or (measure in ("flagged", "refused") and column in COLUMNS)


def test_paths_are_reduced_to_names() -> None:
    assert hide_paths(["safevlm", "--row", "k0=/a/b", "/c/d", "e/f"]) == ["safevlm", "--row", "k0=b", "d", "e/f"]
