"""docs/data.md matches the code."""

import re

from typer.main import get_command

from safety_core.cli.data.app import app
from safety_core.data.adapters.tables.columns import USUAL_COLUMNS
from safety_core.data.duplicates.near_pictures import PICTURES_ALIKE
from safety_core.data.duplicates.near_texts import LETTERS_ALIKE, WORDS_ALIKE
from safety_core.data.registry import ADAPTERS, format_labels
from tests.helpers.paths import ROOT

TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())


def test_every_set_has_a_row_with_its_splits() -> None:
    table = TEXT[TEXT.index("| name | where") :].split("\n\n")[0].splitlines()[2:]
    rows = {row.split("`")[1]: row for row in table}
    assert list(rows) == list(ADAPTERS)
    for name, adapter in ADAPTERS.items():
        if "--split" in rows[name] and name != "vlguard":
            assert set(adapter.splits) <= set(re.findall(r"`(?:--split )?(\w+)`", rows[name]))


def test_labels_are_printed_word_for_word() -> None:
    assert format_labels() in TEXT


def test_every_command_is_described() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert all(f"safevlm data {name}" in TEXT for name in commands)


def test_columns_and_bounds_are_those_of_the_code() -> None:
    paragraph = TEXT[TEXT.index("### Tables of your own") :].split("```")[0]
    named = set(re.findall(r"`(\w+)`", paragraph))
    assert {name for names in USUAL_COLUMNS.values() for name in names} | set(USUAL_COLUMNS) <= named
    assert f"at least {WORDS_ALIKE}, or" in WORDS
    assert f"one of at least {LETTERS_ALIKE}" in WORDS
    assert f"at most {PICTURES_ALIKE} of 64 bits" in WORDS
