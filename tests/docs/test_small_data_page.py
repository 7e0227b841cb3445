"""docs/safevlm-small-data.md matches the code."""

import re

from safety_core.data.duplicates.near_pictures import PICTURES_ALIKE
from safety_core.data.duplicates.near_texts import LETTERS_ALIKE, WORDS_ALIKE
from safety_core.small.corpus.hashing import LISTED_DIGITS, SHARES
from safety_core.small.corpus.labels.tables import TEXT_RULES, format_rules
from safety_core.small.corpus.report import format_sources
from safety_core.small.corpus.sources import SOURCES
from safety_core.small.corpus.split_lists import LISTED, read_lists
from safety_core.small.corpus.splits import HELD_OUT_FUNCTIONALITIES, HELD_OUT_PEOPLE
from tests.helpers.paths import ROOT

TEXT = (ROOT / "docs" / "safevlm-small-data.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())


def test_sources_and_rules_are_printed_word_for_word() -> None:
    assert format_sources() in TEXT
    assert format_rules() in TEXT


def test_every_file_of_texts_is_described() -> None:
    table = TEXT.partition("| file | fields")[2].partition("\n\n")[0]
    described = set(re.findall(r"`(\w+)`", table))

    without_labels = set(TEXT_RULES) - described
    assert all(not rule.categories for name in without_labels for rule in TEXT_RULES[name])


def test_what_is_held_out_is_named() -> None:
    sources = {name for name, source in SOURCES.items() if source.uses == ("test",)}
    for name in (*sources, *HELD_OUT_FUNCTIONALITIES, HELD_OUT_PEOPLE):
        assert f"`{name}`" in TEXT.partition("## Splits")[2]


def test_shares_and_bounds_are_those_of_the_code() -> None:
    shares = {split: round(100 * share) for split, share in SHARES}
    assert f"training ({shares['train']} %), calibration ({shares['calibration']} %)" in WORDS
    assert f"development ({shares['development']} %) or test ({shares['test']} %)" in WORDS
    assert f"at least {WORDS_ALIKE}, or" in WORDS
    assert f"one of at least {LETTERS_ALIKE}" in WORDS
    assert f"at most {PICTURES_ALIKE} of 64 bits" in WORDS
    assert f"the first {LISTED_DIGITS} digits" in WORDS


def test_counts_agree_with_the_lists() -> None:
    table = TEXT.partition("| set | train |")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
    assert [row[0] for row in rows] == [*SOURCES, "all"]
    listed = read_lists()
    for column, split in enumerate(LISTED, start=2):
        assert 0 < int(rows[-1][column]) <= sum(one == split for one in listed.values()) * 2
