from pathlib import Path

import pytest

from safety_core.policy.policy import Decision
from safety_core.small.evaluation.figures.board import Board
from safety_core.small.evaluation.systems.system import NOT_ASKED, Score
from tests.helpers.datasets.real_items import SAFE, make_item, make_score

ALLOW, CAUTION, REFUSE = make_score(), make_score(Decision.CAUTIONED), make_score(Decision.REFUSED)
ITEMS = [
    make_item("a", parts=("set/catqa",)),
    make_item("b", parts=("set/catqa",)),
    make_item("c", parts=("set/tdc2023",)),
    make_item("d", "harmless", SAFE),
    make_item("e", "harmless", SAFE),
    make_item("f", "rendered", picture=Path("f.jpg"), lettered=True),
    make_item("g", "harmless_lettering", SAFE, picture=Path("g.jpg"), lettered=True),
    make_item("h", "held_out_guns", picture=Path("h.jpg")),
]
UNASKED = Score(problem=NOT_ASKED)


@pytest.fixture(scope="module")
def board() -> Board:
    return Board(ITEMS, seed=0, resamples=50)


def test_figures_are_over_columns_and_their_parts(board: Board) -> None:
    figures = board.compute_figures([REFUSE, CAUTION, ALLOW, ALLOW, CAUTION, REFUSE, ALLOW, UNASKED])
    assert figures["flagged/harmful"].value == pytest.approx(2 / 3)
    assert figures["flagged/harmful"].n == 3
    assert figures["refused/harmful"].value == pytest.approx(1 / 3)
    assert figures["flagged/harmful/set/catqa"].value == 1.0
    assert figures["flagged/harmless"].value == 0.5
    assert figures["auroc/requests"].value == pytest.approx((1 + 0.75 + 0.25) / 3)
    assert figures["auroc/lettering"].value == 1.0
    assert figures["right/words"].value == pytest.approx(3 / 5)
    assert figures["right/all"].value == pytest.approx(5 / 7)
    assert figures["no_verdict/all"].value == 0.0
    assert 0 <= (figures["ece/words"].value or 0) <= 1


def test_what_was_not_asked_has_no_figure(board: Board) -> None:
    figures = board.compute_figures([UNASKED] * 7 + [CAUTION])
    assert set(figures) == {"flagged/held_out_guns", "refused/held_out_guns"}
    assert figures["flagged/held_out_guns"].n == 1


def test_seconds_are_medians_by_form(board: Board) -> None:
    timed = [make_score(seconds=float(number)) for number in range(8)]
    figures = board.compute_figures(timed)
    assert figures["seconds/words"].value == 2.0
    assert figures["seconds/lettering"].value == 5.0
    assert "seconds/photographs" not in figures, "held-out items are measured for their own checkpoint only"


def test_two_systems_are_compared_on_what_both_decided(board: Board) -> None:
    good = [REFUSE, REFUSE, REFUSE, ALLOW, ALLOW, UNASKED, UNASKED, UNASKED]
    bad = [ALLOW, ALLOW, REFUSE, REFUSE, ALLOW, REFUSE, REFUSE, UNASKED]
    comparison = board.compare(good, bad)
    assert set(comparison.differences) == {"right/words", "right/all"}
    assert comparison.differences["right/words"].value == pytest.approx(3 / 5)
    assert (comparison.mcnemar["right/words"].only_first, comparison.mcnemar["right/words"].only_second) == (3, 0)


def test_items_of_a_group_are_drawn_together() -> None:
    alike = [make_item(f"{n}", group="one") for n in range(20)]
    apart = [make_item(f"{n}") for n in range(20)]
    scores = [REFUSE, ALLOW] * 10
    together, alone = (
        Board(items, seed=0, resamples=200).compute_figures(scores)["flagged/harmful"] for items in (alike, apart)
    )
    assert (together.low, together.high) == (0.5, 0.5), "one group has no spread"
    assert alone.low is not None
    assert alone.low < 0.4
