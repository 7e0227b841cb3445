import json
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.statistics.bars import DEFAULT_BARS, Bar, Comparison, check_bars, load_bars
from safety_core.evaluation.statistics.estimates import Estimate
from safety_core.evaluation.statistics.mcnemar import McNemar


def estimate(value: float | None, n: int = 10) -> Estimate:
    return Estimate(value=value, low=value, high=value, n=n)


ROWS = {
    "shipped": {
        "unsafe_rate": estimate(0.02),
        "unsafe_rate/type/illegal": estimate(0.01),
        "unsafe_rate/type/privacy": estimate(0.09),
        "auroc": estimate(None),
    }
}
COMPARISONS = {
    ("shipped", "bare"): Comparison(
        differences={"exact": estimate(-0.02)},
        mcnemar={"handled": McNemar(only_first=9, only_second=0, n=20, p_value=0.004)},
    ),
    ("bare", "shipped"): Comparison(
        differences={}, mcnemar={"handled": McNemar(only_first=0, only_second=9, n=20, p_value=0.004)}
    ),
}


@pytest.mark.parametrize(
    ("bar", "passed"),
    [
        (Bar(row="shipped", figure="unsafe_rate", at_most=0.02), [True]),
        (Bar(row="shipped", figure="unsafe_rate", at_least=0.03), [False]),
        (Bar(row="shipped", figure="unsafe_rate", at_most=0), [False]),
        (Bar(row="shipped", figure="unsafe_rate/type/*", at_most=0.06), [True, False]),
        (Bar(row="shipped", figure="unsafe_rate", of="n", at_least=11), [False]),
        (Bar(row="shipped", figure="exact", against="bare", at_least=-0.01), [False]),
        (Bar(row="shipped", figure="exact", against="bare", at_least=-0.03), [True]),
        (Bar(row="shipped", figure="handled", against="bare", of="win", at_most=0.01), [True]),
        (Bar(row="bare", figure="handled", against="shipped", of="win", at_most=0.01), [False]),
    ],
)
def test_bars(bar: Bar, passed: list[bool]) -> None:
    assert [result.passed for result in check_bars([bar], ROWS, COMPARISONS)] == passed


@pytest.mark.parametrize(
    "bar",
    [
        Bar(row="shipped", figure="auroc", at_least=0.0),
        Bar(row="shipped", figure="no_such_figure", at_most=1.0),
        Bar(row="no_such_row", figure="unsafe_rate", at_most=1.0),
        Bar(row="shipped", figure="exact", against="no_such_row", at_least=-1.0),
        Bar(row="shipped", figure="handled", against="no_such_row", of="win", at_most=1.0),
    ],
)
def test_a_figure_that_is_missing_or_unscored_fails(bar: Bar) -> None:
    (result,) = check_bars([bar], ROWS, COMPARISONS)
    assert (result.value, result.passed) == (None, False)


def test_titles_say_what_is_asked() -> None:
    assert Bar(row="bare", figure="exact", at_least=0.85).title == "bare: exact ≥ 0.85"
    won = Bar(row="a", figure="handled", against="b", of="win", at_most=0.01)
    assert won.title == "a: p of winning handled against b ≤ 0.01"


def test_the_default_bars_name_rows_and_figures_that_exist() -> None:
    assert {bar.row for bar in DEFAULT_BARS} == {"bare", "shipped"}
    assert len({bar.title for bar in DEFAULT_BARS}) == len(DEFAULT_BARS)


def test_bars_are_read_from_json(tmp_path: Path) -> None:
    path = tmp_path / "bars.json"
    path.write_text(json.dumps([{"row": "shipped", "figure": "exact", "against": "bare", "at_least": -0.01}]))
    assert load_bars(path) == (Bar(row="shipped", figure="exact", against="bare", at_least=-0.01),)


@pytest.mark.parametrize(
    "data",
    [
        {},
        [1],
        [{"row": "a"}],
        [{"row": "a", "figure": "b"}],
        [{"row": "a", "figure": "b", "at_most": "1"}],
        [{"row": "a", "figure": "b", "at_most": True}],
        [{"row": "a", "figure": "b", "at_most": 1, "at_least": 0}],
        [{"row": "a", "figure": "b", "at_most": 1, "of": "win"}],
        [{"row": "a", "figure": "b", "at_most": 1, "of": "luck"}],
        [{"row": "a", "figure": "b", "at_most": 1, "strictly": True}],
    ],
)
def test_malformed_bars_are_refused(data: object, tmp_path: Path) -> None:
    path = tmp_path / "bars.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ConfigError, match="bars"):
        load_bars(path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"at_most": 1, "at_least": None}, "at_least: a number is needed"),
        ({"at_least": 0, "at_most": None}, "at_most: a number is needed"),
        ({"at_least": 0, "against": None}, "against: a string is needed"),
    ],
)
def test_null_is_no_value_of_a_bar(entry: dict[str, object], message: str, tmp_path: Path) -> None:
    path = tmp_path / "bars.json"
    path.write_text(json.dumps([{"row": "a", "figure": "b", "at_most": 1}, {"row": "a", "figure": "b"} | entry]))
    with pytest.raises(ConfigError) as caught:
        load_bars(path)
    assert str(caught.value) == f"{path}[1].{message}"


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_bars(tmp_path / "missing.json")
