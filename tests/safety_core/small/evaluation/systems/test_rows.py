from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.small.evaluation.systems import rows
from safety_core.small.evaluation.systems.rows import AGAINST, ROWS, SHIPPED, choose_rows
from tests.helpers.datasets.real_items import make_item

OTHER_VIEWS = ["no_sentences", "no_disguises", "every_sentence", "windows"]
OWN = {row.name: Path(row.name) for row in ROWS if row.needs_checkpoint}


def test_rows_without_a_checkpoint_or_package_are_left_out_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "find_spec", lambda name: None)
    chosen, left_out = choose_rows(Path("small"), {"k0": Path("zero")})
    assert [row.name for row in chosen] == ["bare", "judge", "k0", "no_reader", *OTHER_VIEWS, "shipped"]
    assert {row.name: row.checkpoint for row in chosen}["k0"] == Path("zero")
    assert {row.name: row.checkpoint for row in chosen}["shipped"] == Path("small")
    assert "pip install" in left_out["tfidf"]
    assert "--row layer=FOLDER" in left_out["layer"]
    assert {row.name for row in chosen} | set(left_out) == {row.name for row in ROWS}


def test_only_some_rows_are_chosen_and_unknown_ones_are_errors() -> None:
    assert [row.name for row in choose_rows(Path("x"), {}, ("shipped", "bare"))[0]] == ["bare", "shipped"]
    with pytest.raises(ConfigError, match="'k9'"):
        choose_rows(Path("x"), {"k9": Path("y")})
    with pytest.raises(ConfigError, match="no checkpoint of their own"):
        choose_rows(Path("x"), {"tfidf": Path("y")})


def test_each_row_is_measured_on_what_concerns_it() -> None:
    chosen = {row.name: row for row in choose_rows(Path("x"), OWN)[0]}
    words, photograph = make_item("a"), make_item("b", "photographs", picture=Path("b.jpg"))
    guns = make_item("c", "held_out_guns", picture=Path("c.jpg"))
    hidden = make_item("d", "hidden")
    items = words, photograph, guns, hidden
    accepted = {name: [row.accepts(item) for item in items] for name, row in chosen.items()}
    assert accepted["shipped"] == [True, True, False, True]
    assert accepted["k0"] == [True, True, False, False]
    assert accepted["words_k8"] == [True, False, False, False]
    assert accepted["windows"] == accepted["no_disguises"] == [True, False, False, True]
    assert accepted["no_reader"] == [False, True, False, False]
    assert accepted["held_out_guns"] == [False, True, True, False]
    assert accepted["held_out_imagenet"] == [False, True, False, False]
    assert accepted["bare"] == [False, False, False, False]


def test_the_shipped_row_is_compared_with_rows_that_exist() -> None:
    assert set(AGAINST) < {row.name for row in ROWS}
    assert SHIPPED not in AGAINST
