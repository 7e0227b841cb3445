import json
from pathlib import Path

import pytest

from safety_core.small.alignment.measuring.figures import compute_figures, format_figures, write_figures
from safety_core.small.alignment.measuring.items import Item


def make_items(number: int) -> list[Item]:
    return [
        Item(row=f"row {place % 2}", measure="yes", cluster=str(place // 2), picture=Path("x"), question="?")
        for place in range(number)
    ]


def test_shares_by_row_with_intervals() -> None:
    figures = compute_figures(make_items(40), ["Yes."] * 30 + ["No."] * 10)
    assert [figure.row for figure in figures] == ["row 0", "row 1"]
    for figure in figures:
        found = figure.estimate
        assert (found.value, found.n) == (0.75, 20)
        assert found.low is not None
        assert found.high is not None
        assert 0.4 < found.low < 0.75 < found.high < 1


def test_every_question_needs_an_answer() -> None:
    with pytest.raises(ValueError, match="zip"):
        compute_figures(make_items(4), ["Yes."])


def test_tables_and_files_hold_figures_only(tmp_path: Path) -> None:
    figures = compute_figures(make_items(4), ["Yes."] * 4)
    assert "| row 0 | right | 2 | 1.000 | " in format_figures(figures)
    write_figures(figures, tmp_path / "figures.json")
    rows = json.loads((tmp_path / "figures.json").read_text())
    assert {"row", "measure", "value", "low", "high", "n", "unscored"} == set(rows[0])
