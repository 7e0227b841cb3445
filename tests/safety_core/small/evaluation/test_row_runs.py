from collections import Counter
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.small.corpus.loading import Corpus
from safety_core.small.evaluation.row_runs import RowRuns
from safety_core.small.evaluation.systems.rows import choose_rows
from safety_core.small.evaluation.systems.system import NOT_ASKED
from tests.helpers.datasets.real_items import make_item

EMPTY = Corpus(records=(), left_out=Counter(), missing=())


def test_items_of_other_rows_have_no_score(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (row,), _ = choose_rows(tiny_checkpoint, {}, ("shipped",))
    items = [make_item("a"), make_item("b", "held_out_guns"), make_item("c")]
    runs = RowRuns(items, EMPTY, row, folder=tmp_path / "out", build=tmp_path / "build")
    scores = runs.score(row)
    assert [score.problem for score in scores] == [None, NOT_ASKED, None]
    assert runs.score(row) == scores


def test_two_items_with_one_id_are_an_error(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (row,), _ = choose_rows(tiny_checkpoint, {}, ("shipped",))
    with pytest.raises(ConfigError, match="same id"):
        RowRuns([make_item("a"), make_item("a")], EMPTY, row, folder=tmp_path, build=tmp_path)
